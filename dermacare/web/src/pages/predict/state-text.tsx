import { useEffect, useState } from "react";
import { inSeconds, percent, probability } from "../../format";
import type { State } from "../../queue/queue";
import { strings } from "../../strings";
import styles from "./state-text.module.css";

/** What an image is at, in words; the time that passes is counted, never guessed. */
export function StateText({ state }: { state: State }) {
  const counted = state.kind === "looking" || state.kind === "busy";
  const now = useNow(counted);
  return (
    <span className={styles.state} data-kind={state.kind}>
      {wordsOf(state, now)}
      {state.kind === "sending" && <progress value={state.share} max={1} aria-hidden="true" />}
    </span>
  );
}

/** The words for a state at a time, in milliseconds of the clock. */
export function wordsOf(state: State, now: number): string {
  const text = strings.predict.states;
  switch (state.kind) {
    case "sending":
      return text.sending(percent(state.share));
    case "looking":
      return text.looking(inSeconds(Math.max(0, now - state.since)));
    case "busy":
      return text.busy(Math.max(0, Math.ceil((state.until - now) / 1000)));
    case "answered": {
      const { diagnoses, models } = state.prediction;
      const [first] = diagnoses;
      if (models.classifier === null) return text.undiagnosed;
      return first ? text.answered(strings.lesions[first.code].name, probability(first.probability)) : text.refused;
    }
    default:
      return text[state.kind];
  }
}

const TICK_MS = 200;

function useNow(ticking: boolean): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (!ticking) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), TICK_MS);
    return () => clearInterval(timer);
  }, [ticking]);
  return now;
}
