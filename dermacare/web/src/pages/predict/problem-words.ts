import { slug } from "../../api/problem";
import type { Problem } from "../../api/types";
import { strings } from "../../strings";

/** A problem in plain words: ours for its kind, then the server's own sentence; null: the answer was none of ours. */
export function problemWords(problem: Problem | null): string {
  if (!problem) return strings.predict.noAnswer;
  const kind = strings.predict.problems[slug(problem)];
  return kind ? `${kind} ${problem.detail}` : problem.detail;
}
