import { useEffect, useRef, useState } from "react";
import { probability } from "../../format";
import type { Item, State } from "../../queue/queue";
import { strings } from "../../strings";
import { problemKind } from "./problem-words";

/** Says to a screen reader what an eye sees change: an answer, a refusal, a failure, a server that went or came back. */
export function Announcer({ items }: { items: readonly Item[] }) {
  const [said, setSaid] = useState("");
  const before = useRef(new Map<number, State["kind"]>());
  useEffect(() => {
    const added = items.filter((item) => !before.current.has(item.id) && item.state.kind !== "answered").length;
    const news = added > 0 ? [strings.predict.added(added)] : [];
    for (const item of items) {
      const kind = before.current.get(item.id);
      if (kind !== undefined && kind !== item.state.kind) news.push(...newsOf(item, kind));
    }
    before.current = new Map(items.map((item) => [item.id, item.state.kind]));
    if (news.length > 0) setSaid([...new Set(news)].join(". "));
  }, [items]);
  return (
    <p role="status" className="visually-hidden">
      {said}
    </p>
  );
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
