import { useId } from "react";
import type { Prediction } from "../../../api/types";
import { count, figure, percent, probability } from "../../../format";
import { strings } from "../../../strings";
import styles from "./facts.module.css";

/** What was measured of the lesion, by its mask; that none was found is said only where a segmenter looked. */
export function Measurements({ prediction: { lesion, refusal, models } }: { prediction: Prediction }) {
  const text = strings.result;
  const heading = useId();
  if (refusal && !lesion) return null;
  const nothing = models.segmenter === null ? text.noSegmenter : text.noLesion;
  return (
    <section className={styles.section} aria-labelledby={heading}>
      <h3 id={heading}>{text.measurements}</h3>
      {lesion ? <Table measured={lesion.measurements} /> : <p>{nothing}</p>}
    </section>
  );
}

function Table({ measured }: { measured: NonNullable<Prediction["lesion"]>["measurements"] }) {
  const text = strings.result;
  const colours = measured.colours.map(({ name, share }) => `${text.coloursNames[name]} ${percent(share)}`);
  const rows: [string, string, string?][] = [
    [text.area, text.areaValue(count(measured.area_pixels), probability(measured.area_share))],
    [text.diameter, text.pixels(count(measured.longest_diameter_pixels))],
    [text.asymmetry, figure(measured.asymmetry), text.asymmetryHint],
    [text.border, figure(measured.border_irregularity), text.borderHint],
    [text.colours, colours.join(", ")],
  ];
  return (
    <>
      <dl className={`${styles.rows} ${styles.narrow}`}>
        {rows.map(([term, value, hint]) => (
          <div key={term}>
            <dt>{term}</dt>
            <dd>
              {value} {hint && <span className={styles.hint}>({hint})</span>}
            </dd>
          </div>
        ))}
      </dl>
      <p className={styles.hint}>{text.measurementsExplain}</p>
    </>
  );
}
