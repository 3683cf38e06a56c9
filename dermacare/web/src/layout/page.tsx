import { type ReactNode, useEffect, useRef } from "react";
import { useLocation } from "react-router";
import { strings } from "../strings";
import styles from "./page.module.css";

interface Props {
  /** In the window's title; the heading where none is given. */
  title?: string;
  heading: string;
  lead?: string;
  /** What can be done at once, below the lead. */
  ways?: ReactNode;
  /** Beside the heading, where there is room. */
  picture?: ReactNode;
  children: ReactNode;
}

/** A page: its title, its one `h1`, and the focus on that after a navigation, so that a screen reader says where it is; where the
 * address names a part of the page, on that. */
export function Page({ title, heading, lead, ways, picture, children }: Props) {
  const ref = useRef<HTMLHeadingElement>(null);
  const { key, hash } = useLocation();
  useEffect(() => {
    document.title = strings.app.title(title ?? heading);
  }, [title, heading]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, when the page appears; the browser places the focus of an opened one
  useEffect(() => {
    const target = hash ? document.getElementById(hash.slice(1)) : null;
    if (target) {
      target.scrollIntoView({ behavior: "instant" });
      target.focus({ preventScroll: true });
    } else if (key !== "default") {
      window.scrollTo(0, 0);
      ref.current?.focus();
    }
  }, []);
  return (
    <div className={styles.page}>
      <header className={styles.head}>
        <div className={styles.words}>
          <h1 ref={ref} tabIndex={-1}>
            {heading}
          </h1>
          {lead && <p className={styles.lead}>{lead}</p>}
          {ways}
        </div>
        {picture}
      </header>
      {children}
    </div>
  );
}
