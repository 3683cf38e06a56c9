import type { ReactNode } from "react";
import { PlainButton } from "./button";
import { CautionIcon, InfoIcon, StopIcon } from "./icons";
import styles from "./message.module.css";

export type Tone = "plain" | "caution" | "alarm";

interface Props {
  tone: Tone;
  title?: string;
  action?: { label: string; onPress: () => void; busy?: boolean };
  children: ReactNode;
}

const ICONS = { plain: InfoIcon, caution: CautionIcon, alarm: StopIcon };

/** Something that the reader must not miss: an icon, words, and maybe one thing to do. */
export function Message({ tone, title, action, children }: Props) {
  const Icon = ICONS[tone];
  return (
    <div className={styles.message} data-tone={tone}>
      <Icon />
      <div className={styles.text}>
        {title && <strong>{title}</strong>}
        <div>{children}</div>
      </div>
      {action && (
        // Disabled it would lose the focus.
        <PlainButton onPress={() => action.busy || action.onPress()} aria-disabled={action.busy ?? false}>
          {action.label}
        </PlainButton>
      )}
    </div>
  );
}
