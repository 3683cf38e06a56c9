import { Link } from "react-router";
import type { Prediction } from "../../../api/types";
import { figure, list, percent, probability } from "../../../format";
import { Message } from "../../../layout/message";
import { strings } from "../../../strings";
import styles from "./headline.module.css";

/** The answer in three figures of speech: the most probable, how likely malignant, what cannot be ruled out. Or the refusal, or that
 * no model was asked for a diagnosis. */
export function Headline({ prediction }: { prediction: Prediction }) {
  const text = strings.result;
  const [first] = prediction.diagnoses;
  if (prediction.models.classifier === null) return <Undiagnosed />;
  if (prediction.refusal || !first) return <Refusal refusal={prediction.refusal} />;
  return (
    <div className={styles.headline}>
      <dl className={styles.figures}>
        <div>
          <dt>{text.mostProbable}</dt>
          <dd>
            <span className={styles.name}>{strings.lesions[first.code].name}</span>
            <span className={styles.number}>{probability(first.probability)}</span>
          </dd>
        </div>
        {prediction.malignancy !== null && (
          <div>
            <dt>{text.malignancy}</dt>
            <dd>
              <span className={styles.number}>{probability(prediction.malignancy)}</span>
              <span className={styles.hint}>{text.malignancyHint}</span>
            </dd>
          </div>
        )}
      </dl>
      {prediction.prediction_set && <CannotRuleOut set={prediction.prediction_set} />}
    </div>
  );
}

function CannotRuleOut({ set }: { set: NonNullable<Prediction["prediction_set"]> }) {
  const text = strings.result;
  const shared = set.codes.filter((code) => !set.own.includes(code)).map((code) => strings.lesions[code].name);
  return (
    <section className={styles.set}>
      <h3>{text.cannotRuleOut}</h3>
      {set.codes.length === 0 ? (
        <p>{text.emptySet}</p>
      ) : (
        <>
          <ul>
            {set.codes.map((code) => (
              <li key={code}>
                <Link to={`/lesion-types#${code}`}>{strings.lesions[code].name}</Link>
              </li>
            ))}
          </ul>
          <p className={styles.hint}>
            {text.cannotRuleOutExplain(percent(set.level))} {shared.length > 0 && text.shared(list(shared))}
          </p>
        </>
      )}
    </section>
  );
}

/** A release without a classifier: nothing was refused, and nothing is wrong with the image. */
function Undiagnosed() {
  const text = strings.result;
  return (
    <Message tone="caution" title={text.noClassifier}>
      {text.noClassifierText}
    </Message>
  );
}

function Refusal({ refusal }: { refusal: Prediction["refusal"] }) {
  const text = strings.result;
  return (
    <Message tone="alarm" title={text.refused}>
      <div className={styles.refusal}>
        {refusal && <p>{refusal.message}</p>}
        <p>{text.refusedText}</p>
        {refusal && (
          <p className={styles.strangeness}>
            {text.strangeness(figure(refusal.strangeness), figure(refusal.threshold))}
          </p>
        )}
      </div>
    </Message>
  );
}
