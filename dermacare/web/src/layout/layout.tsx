import { Suspense } from "react";
import { NavLink, Outlet } from "react-router";
import { strings } from "../strings";
import { Connection } from "./connection";
import { Mark } from "./icons";
import styles from "./layout.module.css";
import { Notice } from "./notice";

const PAGES = [
  ["/predict", strings.pages.predict],
  ["/lesion-types", strings.pages.lesionTypes],
  ["/about", strings.pages.about],
] as const;

/** What stands around every page. */
export function Layout() {
  return (
    <>
      <a className={styles.skip} href="#content">
        {strings.app.skip}
      </a>
      <header className={styles.header}>
        <div className={styles.bar}>
          <NavLink className={styles.name} to="/" end aria-label={`${strings.app.name}, ${strings.pages.home}`}>
            <Mark />
            {strings.app.name}
          </NavLink>
          <nav className={styles.pages} aria-label={strings.app.navigation}>
            {PAGES.map(([to, label]) => (
              <NavLink key={to} to={to}>
                {label}
              </NavLink>
            ))}
          </nav>
        </div>
      </header>
      <Notice />
      <Connection />
      <main id="content" className={styles.main} tabIndex={-1}>
        <Suspense fallback={<p role="status">{strings.app.loading}</p>}>
          <Outlet />
        </Suspense>
      </main>
      <footer className={styles.foot}>
        <div className={styles.footer}>
          <p>{strings.app.footer}</p>
          <a href="/licences.txt">{strings.app.licences}</a>
        </div>
      </footer>
    </>
  );
}
