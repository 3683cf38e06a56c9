import { Button, type ButtonProps } from "react-aria-components";
import styles from "./button.module.css";

/** The one thing to do in a place. */
export function MainButton(props: ButtonProps) {
  return <Button {...props} className={styles.main} />;
}

/** Anything else that can be done. */
export function PlainButton(props: ButtonProps) {
  return <Button {...props} className={styles.plain} />;
}

/** A button that shows an icon alone: `aria-label` names it. */
export function IconButton(props: ButtonProps & { "aria-label": string }) {
  return <Button {...props} className={styles.icon} />;
}
