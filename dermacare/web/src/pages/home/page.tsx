import { Link } from "react-router";
import { Page } from "../../layout/page";
import { strings } from "../../strings";
import styles from "./page.module.css";
import { Picture } from "./picture";

export default function Home() {
  const text = strings.home;
  return (
    <Page title={strings.pages.home} heading={text.heading} lead={text.lead} picture={<Picture />} ways={<Ways />}>
      <section className={styles.section} aria-labelledby="what">
        <h2 id="what">{text.what}</h2>
        <dl className={styles.what}>
          {text.whatItems.map(([term, explanation]) => (
            <div key={term}>
              <dt>{term}</dt>
              <dd>{explanation}</dd>
            </div>
          ))}
        </dl>
      </section>
      <div className={styles.sides}>
        <section className={styles.section} aria-labelledby="who">
          <h2 id="who">{text.who}</h2>
          <p>{text.whoText}</p>
        </section>
        <section className={styles.section} aria-labelledby="not">
          <h2 id="not">{text.not}</h2>
          <ul className={styles.not}>
            {text.notItems.map((item) => (
              <li key={item}>{item}</li>
            ))}
          </ul>
        </section>
      </div>
    </Page>
  );
}

function Ways() {
  const text = strings.home;
  return (
    <div className={styles.ways}>
      <Link className={styles.predict} to="/predict">
        {text.predict}
      </Link>
      <Link to="/lesion-types">{text.types}</Link>
    </div>
  );
}
