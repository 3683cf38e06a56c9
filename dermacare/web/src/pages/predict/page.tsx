import { useRef, useState } from "react";
import type { Told } from "../../api/predict";
import { Page } from "../../layout/page";
import { useItems, useQueue } from "../../queue/context";
import { strings } from "../../strings";
import { Announcer } from "./announcer";
import { Intake } from "./intake";
import styles from "./page.module.css";
import { QueueList } from "./queue-list";
import { Result } from "./result/result";
import { NOTHING_TOLD, ToldForm, takeTyped } from "./told-form";

export default function Predict() {
  const text = strings.predict;
  const queue = useQueue();
  const items = useItems();
  const [told, setTold] = useState(NOTHING_TOLD);
  /** What is told by now: what was typed last is taken, and sent, before the form is drawn again. */
  const toldNow = useRef(told);
  const [chosen, setChosen] = useState<number | null>(null);
  const [left, setLeft] = useState<string[]>([]);
  const result = useRef<HTMLElement>(null);
  const shown = items.find((item) => item.id === chosen) ?? items.at(-1);

  const tell = (change: Partial<Told>) => {
    toldNow.current = { ...toldNow.current, ...change };
    setTold(toldNow.current);
  };
  const add = (files: File[]) => {
    takeTyped();
    const images = files.filter((file) => file.type === "" || file.type.startsWith("image/"));
    setLeft(files.filter((file) => !images.includes(file)).map((file) => file.name));
    const [first] = queue.add(images, toldNow.current);
    if (first === undefined) return;
    setChosen(first);
    // Agreed to for these images: the next may be another patient's.
    tell({ consent: false });
  };
  const show = (id: number) => {
    setChosen(id);
    requestAnimationFrame(() => result.current?.focus());
  };

  return (
    <Page title={strings.pages.predict} heading={text.heading} lead={text.lead}>
      <div className={styles.columns}>
        <div className={styles.asking}>
          <Intake onFiles={add} small={items.length > 0} left={left} />
          <ToldForm told={told} onChange={tell} />
          <QueueList items={items} shown={shown?.id} onShow={show} />
        </div>
        <div className={styles.answering}>{shown && <Result key={shown.id} item={shown} ref={result} />}</div>
      </div>
      <Announcer items={items} />
    </Page>
  );
}
