import styles from "./picture.module.css";

const OUTLINE =
  "M118 96c22-30 66-38 96-20 16 9 30 6 42 22 14 19 8 40 12 60 5 26-12 50-38 58-20 6-30 20-54 16-26-4-32-26-52-38-22-14-34-34-28-60 4-16 10-24 22-38Z";
const DOTS = [
  [150, 112],
  [176, 98],
  [206, 108],
  [236, 128],
  [160, 142],
  [190, 134],
  [222, 152],
  [244, 172],
  [140, 168],
  [172, 172],
  [204, 182],
  [226, 200],
  [182, 206],
];

/** What an answer is, drawn: a lesion, its outline, and bars. It decorates; the words beside it say the same. */
export function Picture() {
  return (
    <svg className={styles.picture} viewBox="0 0 420 330" aria-hidden="true" focusable="false">
      <clipPath id="field">
        <rect x="20" y="16" width="316" height="264" rx="10" />
      </clipPath>
      <g clipPath="url(#field)">
        <rect className={styles.skin} x="20" y="16" width="316" height="264" />
        <path className={styles.outer} d={OUTLINE} />
        <path
          className={styles.inner}
          d="M140 118c20-20 50-24 74-10 20 10 34 26 34 50 0 26-20 44-46 48-28 4-48-8-62-30-10-18-14-42 0-58Z"
        />
        <path className={styles.core} d="M196 128c18-4 38 8 38 28s-16 36-34 32-22-18-20-34c2-12 6-24 16-26Z" />
        {DOTS.map(([x, y]) => (
          <circle key={`${x} ${y}`} className={styles.dot} cx={x} cy={y} r="4" />
        ))}
        <path className={styles.hair} d="M20 70c70 12 130 60 180 210" />
        <path className={styles.hair} d="M336 40c-60 30-120 40-210 30" />
        <path className={styles.edge} d={OUTLINE} />
        <path className={styles.outline} d={OUTLINE} />
      </g>
      <g>
        <rect className={styles.card} x="214" y="206" width="190" height="108" rx="8" />
        {[118, 52, 18].map((width, row) => (
          <g key={width}>
            <rect className={styles.ground} x="232" y={228 + row * 26} width="154" height="12" rx="3" />
            <rect
              className={row === 0 ? styles.first : styles.other}
              x="232"
              y={228 + row * 26}
              width={width}
              height="12"
              rx="3"
            />
          </g>
        ))}
      </g>
    </svg>
  );
}
