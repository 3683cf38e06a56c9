import { useId } from "react";
import { FileTrigger } from "react-aria-components";
import { MainButton, PlainButton } from "../../layout/button";
import { CameraIcon, ImageIcon } from "../../layout/icons";
import { strings } from "../../strings";
import styles from "./intake.module.css";
import { useFiles } from "./use-files";

const TYPES = ["image/jpeg", "image/png"];

interface Props {
  onFiles: (files: File[]) => void;
  /** There are images already: the zone takes less room. */
  small: boolean;
  /** Names of what was no image. */
  left: string[];
}

/** Where images come in: dropped, pasted, chosen, or from the camera. */
export function Intake({ onFiles, small, left }: Props) {
  const text = strings.predict;
  const label = useId();
  const isOver = useFiles(onFiles);
  const take = (files: FileList | null) => {
    if (files && files.length > 0) onFiles([...files]);
  };
  return (
    <section className={styles.zone} data-small={small} data-over={isOver} aria-labelledby={label}>
      <h2 id={label} className={styles.label}>
        {isOver ? text.dropNow : text.drop}
      </h2>
      <p className={styles.or}>{text.orPaste}</p>
      <div className={styles.ways}>
        <FileTrigger acceptedFileTypes={TYPES} allowsMultiple onSelect={take}>
          <MainButton>
            <ImageIcon />
            {text.choose}
          </MainButton>
        </FileTrigger>
        <FileTrigger acceptedFileTypes={TYPES} defaultCamera="environment" onSelect={take}>
          <PlainButton>
            <CameraIcon />
            {text.camera}
          </PlainButton>
        </FileTrigger>
      </div>
      <div role="status" className={styles.left}>
        {left.map((name) => (
          <p key={name}>{text.notAnImage(name)}</p>
        ))}
      </div>
    </section>
  );
}
