import { useExample } from "../../api/queries";
import type { DiagnosisCode } from "../../api/types";
import { useBlobUrl } from "../../layout/blob-url";
import { strings } from "../../strings";
import styles from "./example.module.css";

/** The drawn picture of a diagnosis, and that it is drawn. */
export function Example({ code, name }: { code: DiagnosisCode; name: string }) {
  const text = strings.lesionTypes;
  const { data, isError } = useExample(code);
  const url = useBlobUrl(data);
  return (
    <figure className={styles.example}>
      <div className={styles.frame}>
        {url && <img src={url} alt={text.exampleAlt(name)} />}
        {isError && <p>{text.noExample}</p>}
      </div>
      <figcaption>{text.drawn}</figcaption>
    </figure>
  );
}
