import type { Ref } from "react";
import type { Prediction } from "../../../api/types";
import { Message } from "../../../layout/message";
import type { Item } from "../../../queue/queue";
import { strings } from "../../../strings";
import { problemKind, problemWords } from "../problem-words";
import { StateText } from "../state-text";
import { Viewer } from "../viewer/viewer";
import { Actions } from "./actions";
import { Headline } from "./headline";
import { Measurements } from "./measurements";
import { Origin } from "./origin";
import { Probabilities } from "./probabilities";
import styles from "./result.module.css";

/** What is known of an image so far: the picture, and the answer or why there is none. */
export function Result({ item, ref }: { item: Item; ref: Ref<HTMLElement> }) {
  const prediction = item.state.kind === "answered" ? item.state.prediction : null;
  return (
    <article className={styles.result} ref={ref} tabIndex={-1} aria-label={strings.result.of(item.file.name)}>
      <header className={styles.head}>
        <h2>{item.file.name}</h2>
        {prediction && <Actions prediction={prediction} />}
      </header>
      <div className={styles.picture}>
        <Viewer item={item} />
      </div>
      <div className={styles.findings}>
        {prediction ? <Answer prediction={prediction} /> : <Unanswered item={item} />}
      </div>
      {prediction && (
        <>
          <div className={styles.measurements}>
            <Measurements prediction={prediction} />
          </div>
          <div className={styles.origin}>
            <Origin prediction={prediction} />
          </div>
        </>
      )}
    </article>
  );
}

function Answer({ prediction }: { prediction: Prediction }) {
  const text = strings.result;
  return (
    <>
      <p className={styles.notice} data-loud={prediction.phantom}>
        {prediction.notice}
      </p>
      <Headline prediction={prediction} />
      {prediction.warnings.length > 0 && (
        <Message tone="caution" title={text.warnings}>
          <ul className={styles.warnings}>
            {prediction.warnings.map((warning) => (
              <li key={warning.code}>{warning.message}</li>
            ))}
          </ul>
        </Message>
      )}
      {prediction.diagnoses.length > 0 && <Probabilities prediction={prediction} />}
    </>
  );
}

function Unanswered({ item: { state } }: { item: Item }) {
  if (state.kind !== "failed") return <StateText state={state} />;
  return (
    <Message tone="alarm" title={problemKind(state.problem)}>
      {problemWords(state.problem)}
    </Message>
  );
}
