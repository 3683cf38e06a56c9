import Markdown, { type MarkdownToJSX } from "markdown-to-jsx";
import type { ReactNode } from "react";
import { strings } from "../../strings";
import styles from "./card.module.css";

function Table({ children }: { children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard (WCAG 2.1.1)
    <section className={styles.scroll} tabIndex={0} aria-label={strings.about.card}>
      <table>{children}</table>
    </section>
  );
}

const OPTIONS: MarkdownToJSX.Options = {
  // HTML in a card is shown as text, never made into elements.
  disableParsingRawHTML: true,
  forceBlock: true,
  // A heading of the card stands below those of the page.
  overrides: {
    h1: { component: "h4" },
    h2: { component: "h5" },
    h3: { component: "h6" },
    table: Table,
    img: () => null,
  },
};

/** The card as it lies in the model's bundle. */
export function Card({ name, markdown }: { name: string; markdown: string }) {
  return (
    <details className={styles.card}>
      <summary>{strings.about.showCard(name)}</summary>
      <div className={styles.text}>
        <Markdown options={OPTIONS}>{markdown}</Markdown>
      </div>
    </details>
  );
}
