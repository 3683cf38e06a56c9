import { useId } from "react";
import { useLesionTypes } from "../../../api/queries";
import type { Prediction } from "../../../api/types";
import { probability } from "../../../format";
import { strings } from "../../../strings";
import styles from "./probabilities.module.css";

/** The eight probabilities, the highest first, as bars with their numbers. */
export function Probabilities({ prediction }: { prediction: Prediction }) {
  const text = strings.result;
  const { data: types } = useLesionTypes();
  const heading = useId();
  return (
    <section className={styles.probabilities} aria-labelledby={heading}>
      <h3 id={heading}>{text.probabilities}</h3>
      <ol className={styles.list}>
        {prediction.diagnoses.map((one) => (
          <li key={one.code}>
            <span className={styles.name}>
              {strings.lesions[one.code].name}
              <span className={styles.tag}>
                {one.malignant ? text.malignantTag : text.benignTag}
                {one.in_set && `, ${text.ruledIn}`}
              </span>
            </span>
            <span className={styles.number}>{probability(one.probability)}</span>
            <Bar share={one.probability} colour={types?.find((type) => type.code === one.code)?.colour} />
          </li>
        ))}
      </ol>
      <p className={styles.hint}>{text.probabilitiesExplain}</p>
    </section>
  );
}

function Bar({ share, colour }: { share: number; colour: string | undefined }) {
  return (
    <svg className={styles.bar} width="100%" height="10" aria-hidden="true" focusable="false">
      <rect className={styles.ground} width="100%" height="10" rx="2" />
      {share > 0 && (
        <rect width={`${share * 100}%`} height="10" rx="2" fill={colour ?? "currentColor"} className={styles.fill} />
      )}
    </svg>
  );
}
