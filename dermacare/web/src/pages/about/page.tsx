import { useServing } from "../../api/queries";
import { dateTime } from "../../format";
import { Page } from "../../layout/page";
import { strings } from "../../strings";
import { Model } from "./model";
import styles from "./page.module.css";

export default function About() {
  const text = strings.about;
  const { data, isPending } = useServing();
  return (
    <Page title={strings.pages.about} heading={text.heading} lead={text.lead}>
      <section className={styles.section} aria-labelledby="objectives">
        <h2 id="objectives">{text.objectives}</h2>
        <ul className={styles.list}>
          {text.objectivesItems.map((item) => (
            <li key={item}>{item}</li>
          ))}
        </ul>
      </section>
      <section className={styles.section} aria-labelledby="method">
        <h2 id="method">{text.method}</h2>
        <dl className={styles.terms}>
          {text.methodItems.map(([term, explanation]) => (
            <div key={term}>
              <dt>{term}</dt>
              <dd>{explanation}</dd>
            </div>
          ))}
        </dl>
      </section>
      <section className={styles.section} aria-labelledby="serving">
        <h2 id="serving">{text.serving}</h2>
        {isPending && <p role="status">{strings.connection.asking}</p>}
        {data && <p>{text.since(dateTime(data.since), data.entry)}</p>}
        {data && <Model role={text.classifier} facts={data.classifier} />}
        {data && <Model role={text.segmenter} facts={data.segmenter} />}
      </section>
    </Page>
  );
}
