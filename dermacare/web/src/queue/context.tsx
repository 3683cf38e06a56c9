import { createContext, type ReactNode, use, useState, useSyncExternalStore } from "react";
import { sendImage } from "../api/predict";
import { type Item, Queue } from "./queue";
import { ready } from "./ready";

const Context = createContext<Queue | null>(null);

/** One queue for the visit: leaving the page of predictions loses none. */
export function QueueProvider({ children, queue }: { children: ReactNode; queue?: Queue }) {
  const [own] = useState(() => queue ?? new Queue({ send: sendImage, ready, now: Date.now }));
  return <Context value={own}>{children}</Context>;
}

export function useQueue(): Queue {
  const queue = use(Context);
  if (!queue) throw new Error("useQueue is called outside QueueProvider");
  return queue;
}

export function useItems(): readonly Item[] {
  const queue = useQueue();
  return useSyncExternalStore(queue.subscribe, queue.snapshot);
}
