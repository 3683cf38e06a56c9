import { newKey, type Send, type Told } from "../api/predict";
import { ownProblem, ProblemError, slug, UnreachableError } from "../api/problem";
import type { Prediction, Problem } from "../api/types";

/** What an image of the queue is at: in order of its life; `answered`, `failed` and `cancelled` are ends. */
export type State =
  | { kind: "waiting" }
  | { kind: "sending"; share: number }
  | { kind: "looking"; since: number }
  | { kind: "busy"; until: number }
  | { kind: "unreachable" }
  | { kind: "unready" }
  | { kind: "answered"; prediction: Prediction }
  | { kind: "failed"; problem: Problem | null }
  | { kind: "cancelled" };

/** A heat map that was asked for later: asked, not to be had, of other models than the answer (`changed`), or of a model that
 * cannot be explained (`absent`). Had, it stands in the prediction. */
export type Explanation =
  | { kind: "none" | "asked" | "changed" | "absent" }
  | { kind: "failed"; problem: Problem | null };

export interface Item {
  readonly id: number;
  /** What the server knows the question by, however often it is sent. */
  readonly key: string;
  readonly file: File;
  /** Of the image's own bytes, for `img`; nothing is sent by showing it. */
  readonly url: string;
  readonly told: Told;
  readonly state: State;
  readonly explanation: Explanation;
}

export interface Surroundings {
  send: Send;
  /** Resolves when the server answers again and has a model. */
  ready: (signal: AbortSignal) => Promise<void>;
  now: () => number;
}

/** How many images are sent at once; a small server computes no faster for more. */
const AT_ONCE = 2;

/** How often in a row an image's connection may break, though the server is ready each time; then it is the image or the line. */
const MOST_BREAKS = 3;

/** Wait; rejects when `signal` is aborted. */
export function wait(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const abort = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal.removeEventListener("abort", abort);
      resolve();
    }, milliseconds);
    signal.addEventListener("abort", abort, { once: true });
  });
}

/** The images of this visit and what became of them. It outlives the page that shows it, and nothing but the memory holds it. */
export class Queue {
  private items: readonly Item[] = [];
  private readonly listeners = new Set<() => void>();
  private readonly controllers = new Map<number, AbortController>();
  private readonly surroundings: Surroundings;
  private nextId = 1;

  constructor(surroundings: Surroundings) {
    this.surroundings = surroundings;
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  readonly snapshot = (): readonly Item[] => this.items;

  /** Add images, each with what is told along with it, and begin. Returns the ids, in their order. */
  add(files: readonly File[], told: Told): number[] {
    const added = files.map((file): Item => {
      const state: State = { kind: "waiting" };
      const url = URL.createObjectURL(file);
      return { id: this.nextId++, key: newKey(), file, url, told, state, explanation: { kind: "none" } };
    });
    this.publish([...this.items, ...added]);
    this.begin();
    return added.map((item) => item.id);
  }

  /** Stop working at an image; what waits or was answered is left as it is. */
  cancel(id: number): void {
    const item = this.find(id);
    if (!item || isEnd(item.state)) return;
    this.change(id, { state: { kind: "cancelled" } });
    this.controllers.get(id)?.abort();
  }

  /** Send an image again that failed or was cancelled. */
  retry(id: number): void {
    const item = this.find(id);
    if (!item || (item.state.kind !== "failed" && item.state.kind !== "cancelled")) return;
    this.change(id, { state: { kind: "waiting" } });
    this.begin();
  }

  /** Forget an image and its answer. */
  remove(id: number): void {
    const item = this.find(id);
    if (!item) return;
    this.controllers.get(id)?.abort();
    URL.revokeObjectURL(item.url);
    this.publish(this.items.filter((other) => other.id !== id));
    this.begin();
  }

  /** Ask again, for the heat map alone: the first answer stays, with its number, and the image is not kept a second time. */
  async explain(id: number): Promise<void> {
    const item = this.find(id);
    if (item?.state.kind !== "answered" || item.explanation.kind === "asked") return;
    const first = item.state.prediction;
    const again = { ...item, key: newKey(), told: { ...item.told, consent: false } };
    this.change(id, { explanation: { kind: "asked" } });
    const controller = new AbortController();
    this.controllers.set(id, controller);
    try {
      this.change(id, explained(first, await this.persist(again, true, controller.signal, () => {})));
    } catch (error) {
      if (controller.signal.aborted) return; // the image was removed
      this.change(id, { explanation: { kind: "failed", problem: problemIn(error) } });
    } finally {
      if (this.controllers.get(id) === controller) this.controllers.delete(id);
    }
  }

  private begin(): void {
    const running = this.items.filter((item) => isRunning(item.state)).length;
    const waiting = this.items.filter((item) => item.state.kind === "waiting");
    for (const item of waiting.slice(0, Math.max(0, AT_ONCE - running))) void this.run(item);
  }

  private async run(item: Item): Promise<void> {
    const controller = new AbortController();
    this.controllers.set(item.id, controller);
    const tell = (state: State) => {
      if (!controller.signal.aborted) this.change(item.id, { state });
    };
    try {
      tell({ kind: "answered", prediction: await this.persist(item, false, controller.signal, tell) });
    } catch (error) {
      tell({ kind: "failed", problem: problemIn(error) });
    } finally {
      if (this.controllers.get(item.id) === controller) this.controllers.delete(item.id);
      this.begin();
    }
  }

  /** Send until there is an answer or a problem that waiting does not mend. */
  private async persist(
    item: Item,
    heatMap: boolean,
    signal: AbortSignal,
    tell: (state: State) => void,
  ): Promise<Prediction> {
    const { send, ready, now } = this.surroundings;
    const onSent = (share: number) => tell(share < 1 ? { kind: "sending", share } : { kind: "looking", since: now() });
    for (let breaks = 0; ; ) {
      try {
        tell({ kind: "sending", share: 0 });
        return await send(item.file, item.told, { heatMap, key: item.key, signal, onSent });
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof ProblemError) breaks = 0;
        if (error instanceof UnreachableError) {
          if (++breaks === MOST_BREAKS) throw new ProblemError(ownProblem("broken-off"));
          tell({ kind: "unreachable" });
          await ready(signal);
        } else if (error instanceof ProblemError && slug(error.problem) === "not-ready") {
          tell({ kind: "unready" }); // a server that has just started loads its models yet
          await ready(signal);
        } else if (error instanceof ProblemError && error.retryAfter !== null) {
          tell({ kind: "busy", until: now() + error.retryAfter * 1000 });
          await wait(error.retryAfter * 1000, signal);
        } else throw error;
      }
    }
  }

  private find(id: number): Item | undefined {
    return this.items.find((item) => item.id === id);
  }

  private change(id: number, change: Partial<Pick<Item, "state" | "explanation">>): void {
    this.publish(this.items.map((item) => (item.id === id ? { ...item, ...change } : item)));
  }

  private publish(items: readonly Item[]): void {
    this.items = items;
    for (const listener of this.listeners) listener();
  }
}

/** An answer with the heat map of a second one, where the same models say the same. */
function explained(first: Prediction, second: Prediction): Pick<Item, "state" | "explanation"> {
  const same =
    first.models.classifier?.digest === second.models.classifier?.digest &&
    first.models.segmenter?.digest === second.models.segmenter?.digest &&
    first.diagnoses[0]?.code === second.diagnoses[0]?.code;
  const prediction = same ? { ...first, heat_map: second.heat_map } : first;
  const kind = !same ? "changed" : second.heat_map ? "none" : "absent";
  return { state: { kind: "answered", prediction }, explanation: { kind } };
}

function problemIn(error: unknown): Problem | null {
  return error instanceof ProblemError ? error.problem : null;
}

function isEnd(state: State): boolean {
  return state.kind === "answered" || state.kind === "failed" || state.kind === "cancelled";
}

export function isRunning(state: State): boolean {
  return !isEnd(state) && state.kind !== "waiting";
}
