import { useState } from "react";
import { strings } from "../../strings";
import styles from "./example.module.css";

/** The drawn picture of a diagnosis, and that it is drawn; `address` is undefined while the API has not told it. */
export function Example({ address, name }: { address: string | undefined; name: string }) {
  const text = strings.lesionTypes;
  const [failed, setFailed] = useState(false);
  return (
    <figure className={styles.example}>
      <div className={styles.frame}>
        {address && !failed && (
          <img src={address} alt={text.exampleAlt(name)} loading="lazy" onError={() => setFailed(true)} />
        )}
        {failed && <p>{text.noExample}</p>}
      </div>
      <figcaption>{text.drawn}</figcaption>
    </figure>
  );
}
