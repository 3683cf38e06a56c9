import { type ReactNode, useId, useState } from "react";
import type { Prediction } from "../../../api/types";
import { count, dateTime } from "../../../format";
import { PlainButton } from "../../../layout/button";
import { CopyIcon } from "../../../layout/icons";
import { strings } from "../../../strings";
import { toldWords } from "../told-words";
import styles from "./facts.module.css";

/** Which models answered, on which data they learned, and the number by which all of it can be traced. */
export function Origin({ prediction }: { prediction: Prediction }) {
  const text = strings.result;
  const heading = useId();
  const command = `dermacare trace ${prediction.id}`;
  return (
    <section className={styles.section} aria-labelledby={heading}>
      <h3 id={heading}>{text.origin}</h3>
      <dl className={styles.rows}>
        {rowsOf(prediction).map(([term, value]) => (
          <div key={term}>
            <dt>{term}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <p className={styles.hint}>{text.trace}</p>
      <div className={styles.trace}>
        <code>{command}</code>
        <Copy text={command} />
      </div>
    </section>
  );
}

function rowsOf({
  id,
  models,
  data_version,
  created,
  milliseconds,
  image,
  patient,
}: Prediction): [string, ReactNode][] {
  const text = strings.result;
  const named = (model: Prediction["models"]["classifier"]) =>
    model && text.model(model.name, model.version, model.architecture);
  const rows: [string, ReactNode][] = [
    [text.id, <code key="id">{id}</code>],
    [text.classifier, named(models.classifier)],
    [text.segmenter, named(models.segmenter)],
    [text.dataVersion, data_version && <code key="version">{data_version}</code>],
    [text.ledger, models.entry],
    [text.created, dateTime(created)],
    [text.took, text.milliseconds(count(milliseconds.total))],
    [text.kept, image.kept ? text.yes : text.no],
    [text.patient, toldWords(patient).join(", ")],
  ];
  return rows.filter(([, value]) => value !== null && value !== "");
}

/** Copies a text, and says whether it could. */
function Copy({ text }: { text: string }) {
  const [copied, setCopied] = useState<boolean | null>(null);
  const copy = () =>
    navigator.clipboard.writeText(text).then(
      () => setCopied(true),
      () => setCopied(false),
    );
  return (
    <>
      <PlainButton onPress={() => void copy()}>
        <CopyIcon />
        {strings.result.copy}
      </PlainButton>
      <span role="status">{copied !== null && (copied ? strings.result.copied : strings.result.copyFailed)}</span>
    </>
  );
}
