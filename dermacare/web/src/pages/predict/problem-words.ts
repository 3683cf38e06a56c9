import { slug } from "../../api/problem";
import type { Problem } from "../../api/types";
import { strings } from "../../strings";

/** What kind of problem it is, in plain words. */
export function problemKind(problem: Problem | null): string {
  return (problem && strings.predict.problems[slug(problem)]) ?? strings.predict.notAnswered;
}

/** The server's own sentence about it, or ours where the page found it; null: the answer was none of ours. The field's name goes: here it is always the image. */
export function problemWords(problem: Problem | null): string {
  if (!problem) return strings.predict.noAnswer;
  if (problem.status === 0) return strings.predict.ownProblems[slug(problem)] ?? strings.predict.noAnswer;
  return strings.predict.serverSays(problem.detail.replace(/^image: /, ""));
}
