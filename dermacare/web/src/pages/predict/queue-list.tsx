import { useId } from "react";
import type { PressEvent } from "react-aria-components";
import { IconButton } from "../../layout/button";
import { AgainIcon, CloseIcon } from "../../layout/icons";
import { useQueue } from "../../queue/context";
import type { Item } from "../../queue/queue";
import { strings } from "../../strings";
import styles from "./queue-list.module.css";
import { StateText } from "./state-text";

interface Props {
  items: readonly Item[];
  shown: number | undefined;
  onShow: (id: number) => void;
}

/** The images of this visit, each with what it is at. */
export function QueueList({ items, shown, onShow }: Props) {
  const text = strings.predict;
  const heading = useId();
  if (items.length === 0) return null;
  return (
    <section className={styles.queue} aria-labelledby={heading}>
      <h2 id={heading}>{text.queue}</h2>
      <ul className={styles.list}>
        {items.map((item) => (
          <li key={item.id} className={styles.row} data-shown={item.id === shown}>
            <button
              type="button"
              className={styles.open}
              aria-current={item.id === shown}
              aria-label={text.show(item.file.name)}
              onClick={() => onShow(item.id)}
            >
              <img src={item.url} alt="" />
            </button>
            <div className={styles.text}>
              <span className={styles.name}>{item.file.name}</span>
              <StateText state={item.state} />
            </div>
            <Actions item={item} />
          </li>
        ))}
      </ul>
    </section>
  );
}

/** Put the focus on a row's image; where there is no row, on the heading of the page. */
function focusOn(row: Element | null | undefined): void {
  (row?.querySelector("button") ?? document.querySelector("h1"))?.focus();
}

function Actions({ item }: { item: Item }) {
  const text = strings.predict;
  const queue = useQueue();
  const { kind } = item.state;
  const name = item.file.name;
  const over = kind === "answered" || kind === "failed" || kind === "cancelled";
  // Both buttons go when they are pressed, and would take the focus with them.
  const retry = ({ target }: PressEvent) => {
    focusOn(target.closest("li"));
    queue.retry(item.id);
  };
  const remove = ({ target }: PressEvent) => {
    const row = target.closest("li");
    focusOn(row?.nextElementSibling ?? row?.previousElementSibling);
    queue.remove(item.id);
  };
  return (
    <div className={styles.actions}>
      {(kind === "failed" || kind === "cancelled") && (
        <IconButton aria-label={text.retryOf(name)} onPress={retry}>
          <AgainIcon />
        </IconButton>
      )}
      <IconButton
        aria-label={over ? text.removeOf(name) : text.cancelOf(name)}
        onPress={over ? remove : () => queue.cancel(item.id)}
      >
        <CloseIcon />
      </IconButton>
    </div>
  );
}
