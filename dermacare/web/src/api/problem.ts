import type { Problem } from "./types";

/** The server answered with a problem document (RFC 9457); `retryAfter`: seconds to wait, where it told them. */
export class ProblemError extends Error {
  readonly problem: Problem;
  readonly retryAfter: number | null;

  constructor(problem: Problem, retryAfter: number | null = null) {
    super(problem.detail);
    this.problem = problem;
    this.retryAfter = retryAfter;
  }
}

/** No answer came: the network or the server is away. */
export class UnreachableError extends Error {}

/** A problem that the page found by itself: no server said it, which its status 0 tells. The pages have words of their own for it. */
export function ownProblem(slug: "too-slow" | "too-large" | "broken-off"): Problem {
  return { type: `urn:dermacare:problem:${slug}`, title: "", status: 0, detail: "", instance: "", errors: [] };
}

/** The last part of a problem's type, by which the pages choose their words. */
export function slug(problem: Problem): string {
  return problem.type.split(":").at(-1) ?? "";
}

/** The problem that an answer with an error status holds; one of our own making where something between answered otherwise. */
export function problemOf(status: number, body: unknown): Problem {
  if (isProblem(body)) return body;
  return { type: "about:blank", title: "", status, detail: `HTTP ${status}`, instance: "", errors: [] };
}

/** Seconds of a Retry-After header; null where there is none, or where it is a date, which our server never sends. */
export function retryAfterOf(header: string | null): number | null {
  return header !== null && /^\d+$/.test(header) ? Number(header) : null;
}

function isProblem(body: unknown): body is Problem {
  return (
    typeof body === "object" && body !== null && "detail" in body && "type" in body && typeof body.type === "string"
  );
}
