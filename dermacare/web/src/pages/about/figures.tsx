import type { Figure } from "../../api/types";
import { count, figure } from "../../format";
import { strings } from "../../strings";
import styles from "./figures.module.css";

/** Figures as rows: name, dot and whisker from 0 to 1, the numbers. The drawing repeats the numbers, so readers skip it. */
export function Figures({ figures }: { figures: Figure[] }) {
  const text = strings.about;
  if (figures.length === 0) return <p>{text.noFigures}</p>;
  return (
    <>
      <p className={styles.explain}>{text.figuresExplain}</p>
      <table className={styles.table}>
        <caption className="visually-hidden">{text.figuresCaption}</caption>
        <thead>
          <tr>
            <th scope="col">{text.figure}</th>
            <td className={styles.axis} aria-hidden="true">
              <span>0</span>
              <span>1</span>
            </td>
            <th scope="col">{text.value}</th>
            <th scope="col">{text.interval}</th>
            <th scope="col" className={styles.images}>
              {text.images}
            </th>
          </tr>
        </thead>
        <tbody>
          {figures.map((one) => (
            <Row key={one.name} one={one} />
          ))}
        </tbody>
      </table>
    </>
  );
}

function Row({ one }: { one: Figure }) {
  const text = strings.about;
  const [label, explanation] = text.figureNames[one.name] ?? [one.name, ""];
  return (
    <tr>
      <th scope="row">
        {label}
        {explanation && <span className={styles.explanation}>{explanation}</span>}
      </th>
      <td className={styles.drawing} aria-hidden="true">
        <Whisker one={one} />
      </td>
      <td className={styles.number}>{one.value === null ? text.none : figure(one.value)}</td>
      <td className={styles.number}>
        {one.low === null || one.high === null ? text.none : `${figure(one.low)} – ${figure(one.high)}`}
      </td>
      <td className={`${styles.number} ${styles.images}`}>{count(one.images)}</td>
    </tr>
  );
}

const WIDTH = 200;

/** A dot and its interval on a line from 0 to 1. */
function Whisker({ one }: { one: Figure }) {
  if (one.value === null) return null;
  const at = (value: number) => 6 + Math.min(Math.max(value, 0), 1) * (WIDTH - 12);
  return (
    <svg viewBox={`0 0 ${WIDTH} 16`} className={styles.whisker} aria-hidden="true" focusable="false">
      <line x1={at(0)} x2={at(1)} y1="8" y2="8" className={styles.scale} />
      {[0, 0.5, 1].map((tick) => (
        <line key={tick} x1={at(tick)} x2={at(tick)} y1="5" y2="11" className={styles.scale} />
      ))}
      {one.low !== null && one.high !== null && (
        <line x1={at(one.low)} x2={at(one.high)} y1="8" y2="8" className={styles.interval} />
      )}
      <circle cx={at(one.value)} cy="8" r="4.5" className={styles.dot} />
    </svg>
  );
}
