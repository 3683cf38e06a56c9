import type { Prediction } from "../../../api/types";
import { PlainButton } from "../../../layout/button";
import { DownloadIcon, PrintIcon } from "../../../layout/icons";
import { strings } from "../../../strings";
import styles from "./facts.module.css";

/** What can be done with an answer. */
export function Actions({ prediction }: { prediction: Prediction }) {
  const text = strings.result;
  return (
    <div className={styles.actions}>
      <PlainButton onPress={() => window.print()}>
        <PrintIcon />
        {text.print}
      </PlainButton>
      <PlainButton onPress={() => download(prediction)}>
        <DownloadIcon />
        {text.json}
      </PlainButton>
    </div>
  );
}

/** Save the answer as the server gave it, with the heat map that was asked for later. */
function download(prediction: Prediction): void {
  const url = URL.createObjectURL(new Blob([JSON.stringify(prediction, null, 2)], { type: "application/json" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = strings.result.jsonName(prediction.id);
  link.click();
  // The browser reads the blob after the click: it is given back when it surely has.
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
