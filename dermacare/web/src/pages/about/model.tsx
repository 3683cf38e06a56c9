import type { ReactNode } from "react";
import { useId } from "react";
import type { ModelFacts } from "../../api/types";
import { count, dateTime } from "../../format";
import { Message } from "../../layout/message";
import { strings } from "../../strings";
import { Card } from "./card";
import { ConfusionMatrix } from "./confusion-matrix";
import { DiagnosisTable } from "./diagnosis-table";
import { Figures } from "./figures";
import styles from "./model.module.css";

/** One serving model: what it is, how good it is, what it learned from, why it serves. All of it comes from the registry. */
export function Model({ role, facts }: { role: string; facts: ModelFacts | null }) {
  const id = useId();
  const text = strings.about;
  if (!facts) {
    return (
      <section className={styles.model} aria-labelledby={id}>
        <h3 id={id}>{role}</h3>
        <p>{text.absent}</p>
      </section>
    );
  }
  return (
    <section className={styles.model} aria-labelledby={id}>
      <h3 id={id} className={styles.name}>
        {role}: {facts.reference.name}, {text.facts.version.toLowerCase()} {facts.reference.version}
      </h3>
      <Identity facts={facts} />
      {facts.missing && <Message tone="caution">{facts.missing}</Message>}
      <Part heading={text.figures}>
        <Figures figures={facts.figures} />
      </Part>
      {facts.diagnoses.length > 0 && (
        <Part heading={text.byDiagnosis}>
          <DiagnosisTable diagnoses={facts.diagnoses} />
        </Part>
      )}
      {facts.confusion && (
        <Part heading={text.confusion}>
          <ConfusionMatrix confusion={facts.confusion} />
        </Part>
      )}
      <Part heading={text.data}>
        <TrainingData facts={facts} />
      </Part>
      <Part heading={text.limits}>
        <ul className={styles.list}>
          {facts.limits.map((limit) => (
            <li key={limit}>{limit}</li>
          ))}
        </ul>
      </Part>
      <Part heading={text.decision}>
        <Decision facts={facts} />
      </Part>
      <Card name={facts.reference.name} markdown={facts.card} />
    </section>
  );
}

function Part({ heading, children }: { heading: string; children: ReactNode }) {
  return (
    <div className={styles.part}>
      <h4>{heading}</h4>
      {children}
    </div>
  );
}

function Rows({ rows }: { rows: [string, ReactNode][] }) {
  return (
    <dl className={styles.rows}>
      {rows.map(([term, value]) => (
        <div key={term}>
          <dt>{term}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Identity({ facts }: { facts: ModelFacts }) {
  const text = strings.about;
  const rows: [string, ReactNode][] = [
    [text.facts.architecture, facts.reference.architecture],
    [text.facts.parameters, count(facts.parameters)],
    [text.facts.input, text.input(facts.input_height, facts.input_width)],
    [text.facts.run, <code key="run">{facts.run_id}</code>],
    [text.facts.digest, <code key="digest">{facts.reference.digest}</code>],
  ];
  if (facts.diagnoses.length > 0) {
    rows.push(
      [text.facts.calibrated, facts.calibrated ? text.calibrated : text.notCalibrated],
      [text.facts.refuses, facts.refuses ? text.refuses : text.neverRefuses],
    );
  }
  return <Rows rows={rows} />;
}

function TrainingData({ facts: { data } }: { facts: ModelFacts }) {
  const text = strings.about;
  return (
    <Rows
      rows={[
        [text.dataVersion, <code key="version">{data.data_version}</code>],
        [text.images, data.images === null ? text.unknown : count(data.images)],
        [text.sources, data.sources.join(", ") || text.unknown],
        [text.licences, data.licences.join(", ") || text.unknown],
      ]}
    />
  );
}

function Decision({ facts: { decision } }: { facts: ModelFacts }) {
  const text = strings.about;
  if (!decision) return <p>{text.noDecision}</p>;
  return (
    <>
      <p>{text.decisionText(decision.outcome, decision.reason)}</p>
      <Rows
        rows={[
          [text.policy, decision.policy ?? text.unknown],
          [text.decided, dateTime(decision.decided)],
          [text.approvedBy, decision.approved_by.join(", ") || text.nobody],
        ]}
      />
    </>
  );
}
