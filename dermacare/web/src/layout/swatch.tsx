import styles from "./swatch.module.css";

/** The colour of a diagnosis, the same as in every figure of the project. It never stands without the name. */
export function Swatch({ colour }: { colour: string | undefined }) {
  return (
    <svg className={styles.swatch} viewBox="0 0 12 12" aria-hidden="true" focusable="false">
      <rect x="0.5" y="0.5" width="11" height="11" rx="2" fill={colour ?? "none"} stroke="currentColor" />
    </svg>
  );
}
