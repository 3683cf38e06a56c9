import { useEffect, useEffectEvent } from "react";
import { type DropItem, DropZone, FileTrigger, Text } from "react-aria-components";
import { MainButton, PlainButton } from "../../layout/button";
import { CameraIcon, ImageIcon } from "../../layout/icons";
import { strings } from "../../strings";
import styles from "./intake.module.css";

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
  usePaste(onFiles);
  const take = (files: FileList | null) => {
    if (files && files.length > 0) onFiles([...files]);
  };
  return (
    <DropZone
      className={styles.zone}
      data-small={small}
      aria-label={text.dropLabel}
      onDrop={async ({ items }) => onFiles(await filesOf(items))}
    >
      {({ isDropTarget }) => (
        <>
          <Text slot="label" className={styles.label}>
            {isDropTarget ? text.dropNow : text.drop}
          </Text>
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
        </>
      )}
    </DropZone>
  );
}

/** Files that are pasted anywhere on the page; in the focused zone React Aria takes them itself. */
function usePaste(onFiles: (files: File[]) => void): void {
  const paste = useEffectEvent((event: ClipboardEvent) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (event.defaultPrevented || files.length === 0) return;
    event.preventDefault();
    onFiles(files);
  });
  useEffect(() => {
    window.addEventListener("paste", paste);
    return () => window.removeEventListener("paste", paste);
  }, []);
}

/** The files among what was dropped, those of folders too. */
async function filesOf(items: DropItem[]): Promise<File[]> {
  const files: File[] = [];
  for (const item of items) {
    if (item.kind === "file") files.push(await item.getFile());
    if (item.kind === "directory") {
      for await (const entry of item.getEntries()) files.push(...(await filesOf([entry])));
    }
  }
  return files;
}
