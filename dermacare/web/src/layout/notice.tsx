import { useServing } from "../api/queries";
import { strings } from "../strings";
import { CautionIcon, InfoIcon } from "./icons";
import styles from "./notice.module.css";

/** On every page: what this is not, in the server's words, and louder where the models learned from drawings. */
export function Notice() {
  const { data } = useServing();
  return (
    <section className={styles.notice} data-loud={data?.phantom ?? false} aria-label={strings.notice.region}>
      <div className={styles.text}>
        {data?.phantom ? <CautionIcon /> : <InfoIcon />}
        <p>
          {data?.phantom && <strong>{strings.notice.phantom}. </strong>}
          {data?.notice ?? strings.notice.always}
        </p>
      </div>
      {data?.stale && (
        <div className={styles.text}>
          <CautionIcon />
          <p>
            <strong>{strings.notice.stale}. </strong>
            {data.stale}
          </p>
        </div>
      )}
    </section>
  );
}
