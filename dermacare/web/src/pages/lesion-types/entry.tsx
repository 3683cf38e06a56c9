import type { DiagnosisCode, LesionType } from "../../api/types";
import { count, percent } from "../../format";
import { Swatch } from "../../layout/swatch";
import { strings } from "../../strings";
import styles from "./entry.module.css";
import { Example } from "./example";

interface Props {
  code: DiagnosisCode;
  /** What the API tells; undefined while it has not. */
  type: LesionType | undefined;
  tested: Tested | null;
}

/** Test images that show a diagnosis, and those of them that were named right; null: not known. */
export interface Tested {
  images: number;
  right: number;
}

/** One diagnosis: picture, what it is, criteria, what it is confused with, risk, sources. */
export function Entry({ code, type, tested }: Props) {
  const text = strings.lesionTypes;
  const lesion = strings.lesions[code];
  return (
    <article className={styles.entry} id={code} tabIndex={-1} aria-labelledby={`${code}-name`}>
      <header className={styles.head}>
        <h2 id={`${code}-name`}>
          <Swatch colour={type?.colour} /> {lesion.name}
        </h2>
        <p>
          <span className={styles.code}>{code}</span>
          {type && (
            <span className={styles.kind} data-malignant={type.malignant}>
              {type.malignant ? text.malignant : text.benign}
            </span>
          )}
        </p>
      </header>
      <Example address={type?.example} name={lesion.name} />
      <div className={styles.text}>
        <p>{lesion.what}</p>
        <section>
          <h3>{text.criteria}</h3>
          {type && (
            <p className={styles.short}>
              {text.inShort}: {type.dermoscopy}.
            </p>
          )}
          <ul className={styles.list}>
            {lesion.criteria.map((criterion) => (
              <li key={criterion}>{criterion}</li>
            ))}
          </ul>
        </section>
        <section>
          <h3>{text.confusion}</h3>
          <p>{lesion.confusion}</p>
          {type && <Mistakes type={type} tested={tested} />}
        </section>
        <section>
          <h3>{text.risk}</h3>
          <p>{lesion.risk}</p>
        </section>
        <details className={styles.sources}>
          <summary>
            {text.sources}
            <span className="visually-hidden">: {lesion.name}</span>
          </summary>
          <ul className={styles.list}>
            {lesion.sources.map((source) => (
              <li key={source}>{source}</li>
            ))}
          </ul>
        </details>
      </div>
    </article>
  );
}

/** What the serving model took it for; that there were no mistakes is said only where it was tested and made none: the API leaves
 * out what is below 1 %. */
function Mistakes({ type, tested }: { type: LesionType; tested: Tested | null }) {
  const text = strings.lesionTypes;
  return (
    <div className={styles.mistakes}>
      <h4>{text.modelConfusion}</h4>
      {type.confused_with.length > 0 ? (
        <ul className={styles.list}>
          {type.confused_with.map(({ code, share }) => (
            <li key={code}>{text.confusedShare(strings.lesions[code].name, percent(share))}</li>
          ))}
        </ul>
      ) : (
        <p>{noMistakes(tested)}</p>
      )}
    </div>
  );
}

/** What is said where the API names no mistake. */
function noMistakes(tested: Tested | null): string {
  const text = strings.lesionTypes;
  if (tested === null) return text.confusionUnknown;
  if (tested.images === 0) return text.unseen;
  const images = count(tested.images);
  return tested.right === tested.images ? text.noConfusion(images) : text.rareConfusion(images, count(tested.right));
}
