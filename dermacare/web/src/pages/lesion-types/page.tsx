import { useLesionTypes, useServing } from "../../api/queries";
import type { DiagnosisCode, LesionType, ServingModels } from "../../api/types";
import { Message } from "../../layout/message";
import { Page } from "../../layout/page";
import { strings } from "../../strings";
import { Entry, type Tested } from "./entry";
import styles from "./page.module.css";

const CODES = Object.keys(strings.lesions) as DiagnosisCode[];

export default function LesionTypes() {
  const text = strings.lesionTypes;
  const { data, isError, isPending } = useLesionTypes();
  const { data: serving } = useServing();
  const confusion = serving?.classifier?.confusion;
  const types = new Map<DiagnosisCode, LesionType>(data?.map((type) => [type.code, type]));
  return (
    <Page heading={text.heading} lead={text.lead}>
      {isError && <Message tone="caution">{text.failed}</Message>}
      {isPending && <p role="status">{strings.connection.asking}</p>}
      <nav className={styles.contents} aria-label={text.contents}>
        {CODES.map((code) => (
          <a key={code} href={`#${code}`}>
            {strings.lesions[code].name}
          </a>
        ))}
      </nav>
      {CODES.map((code) => (
        <Entry key={code} code={code} type={types.get(code)} tested={tested(confusion, code)} />
      ))}
      <section className={styles.sources} aria-labelledby="sources">
        <h2 id="sources">{text.allSources}</h2>
        <ul>
          {strings.sharedSources.map((source) => (
            <li key={source}>{source}</li>
          ))}
        </ul>
      </section>
    </Page>
  );
}

type Confusion = NonNullable<ServingModels["classifier"]>["confusion"];

/** How a diagnosis's test images were named; null where no confusion matrix tells. */
function tested(confusion: Confusion | undefined, code: DiagnosisCode): Tested | null {
  const place = confusion?.codes.indexOf(code) ?? -1;
  const row = confusion?.counts[place];
  return row ? { images: row.reduce((sum, one) => sum + one, 0), right: row[place] ?? 0 } : null;
}
