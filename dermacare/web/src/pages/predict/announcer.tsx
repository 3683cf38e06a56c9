import { useEffect, useRef, useState } from "react";
import { probability } from "../../format";
import type { Item, State } from "../../queue/queue";
import { strings } from "../../strings";
import { problemKind } from "./problem-words";

/** How long nothing stands there before news: the same words again are news only so. */
const SILENT_MS = 100;

/** Says to a screen reader what an eye sees change: an answer, a refusal, a failure, a server that went or came back. */
export function Announcer({ items }: { items: readonly Item[] }) {
  const [pending, setPending] = useState<readonly string[]>([]);
  const [said, setSaid] = useState("");
  const before = useRef(items);
  useEffect(() => {
    const news = newsBetween(before.current, items);
    before.current = items;
    if (news.length > 0) setPending((old) => [...old, ...news]);
  }, [items]);
  useEffect(() => {
    if (pending.length === 0) return;
    const timer = setTimeout(() => {
      setSaid([...new Set(pending)].join(". "));
      setPending([]);
    }, SILENT_MS);
    return () => clearTimeout(timer);
  }, [pending]);
  return (
    <p role="status" className="visually-hidden">
      {pending.length === 0 && said}
    </p>
  );
}

/** What is worth saying of the images that came, changed and went. */
function newsBetween(before: readonly Item[], now: readonly Item[]): string[] {
  const text = strings.predict;
  const old = new Map(before.map((item) => [item.id, item]));
  const left = new Set(now.map((item) => item.id));
  const added = now.filter((item) => !old.has(item.id)).length;
  const news = added > 0 ? [text.added(added)] : [];
  for (const item of before) if (!left.has(item.id)) news.push(text.removed(item.file.name));
  for (const item of now) {
    const kind = old.get(item.id)?.state.kind;
    if (kind !== undefined && kind !== item.state.kind) news.push(...newsOf(item, kind));
  }
  return news;
}

/** What is worth saying of an item that has changed; most of its life is not. */
export function newsOf({ file, state }: Item, before: State["kind"]): string[] {
  const text = strings.predict.announce;
  const news = (before === "unreachable" || before === "unready") && state.kind === "sending" ? [text.back] : [];
  if (state.kind === "unreachable" || state.kind === "unready") news.push(text[state.kind]);
  if (state.kind === "failed") news.push(text.failed(file.name, problemKind(state.problem)));
  if (state.kind === "answered") {
    const { diagnoses, models } = state.prediction;
    const [first] = diagnoses;
    const words = first && text.answered(file.name, strings.lesions[first.code].name, probability(first.probability));
    news.push(words ?? (models.classifier === null ? text.undiagnosed : text.refused)(file.name));
  }
  return news;
}
