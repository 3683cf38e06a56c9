import { ownProblem, ProblemError, problemOf, retryAfterOf, UnreachableError } from "./problem";
import type { Prediction, Problem, Sex, Site } from "./types";

/** What is told along with an image. */
export interface Told {
  age: number | null;
  sex: Sex | null;
  site: Site | null;
  consent: boolean;
}

export interface SendOptions {
  heatMap: boolean;
  /** Names the question: sent again under the same key it is logged once. 32 hexadecimal digits. */
  key: string;
  signal: AbortSignal;
  /** Share of the bytes that have left, 0 to 1; 1 when all have, and the server has the word. */
  onSent: (share: number) => void;
}

export type Send = (image: File, told: Told, options: SendOptions) => Promise<Prediction>;

/** As long as the server itself waits for a request, and as long again for its answer. */
const TIMEOUT_MS = 120_000;

/** A new key. Not `randomUUID`, which browsers withhold from pages that came without TLS. */
export function newKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Bytes of an image that the contract takes (`maxLength` of the field; a test holds the two equal). Of a file that is far larger
 * the server cuts the line before it could tell. */
export const MOST_BYTES = 25 * 1024 * 1024;

function formOf(image: File, told: Told, heatMap: boolean): FormData {
  const form = new FormData();
  form.append("image", image);
  if (told.age !== null) form.append("age", String(told.age));
  if (told.sex !== null) form.append("sex", told.sex);
  if (told.site !== null) form.append("site", told.site);
  form.append("consent", String(told.consent));
  form.append("heat_map", String(heatMap));
  return form;
}

function unreadable(status: number, detail: string): Problem {
  return { type: "about:blank", title: "", status, detail, instance: "", errors: [] };
}

function settle(request: XMLHttpRequest): Prediction {
  let body: unknown = null;
  try {
    body = JSON.parse(request.responseText);
  } catch {
    // Something between the server and us answered, a proxy's page for example: there is no problem document to read.
    if (request.status < 400) throw new ProblemError(unreadable(request.status, `HTTP ${request.status}, not JSON`));
  }
  if (request.status >= 400) {
    throw new ProblemError(problemOf(request.status, body), retryAfterOf(request.getResponseHeader("Retry-After")));
  }
  return body as Prediction;
}

/** Ask for a prediction. XMLHttpRequest, since `fetch` does not tell how much of a body has left.
 *
 * Throws ProblemError, also for a file that is too large to be sent and for one that took too long, UnreachableError, or the reason
 * of `signal`. */
export const sendImage: Send = (image, told, { heatMap, key, signal, onSent }) =>
  new Promise((resolve, reject) => {
    signal.throwIfAborted();
    if (image.size > MOST_BYTES) throw new ProblemError(ownProblem("too-large"));
    const request = new XMLHttpRequest();
    request.open("POST", new URL("/api/v1/predictions", location.origin));
    request.setRequestHeader("Idempotency-Key", key);
    request.timeout = TIMEOUT_MS;
    const abort = () => request.abort();
    signal.addEventListener("abort", abort, { once: true });
    request.upload.onprogress = ({ loaded, total }) => onSent(total > 0 ? loaded / total : 0);
    request.upload.onload = () => onSent(1);
    request.onerror = () => reject(new UnreachableError());
    request.ontimeout = () => reject(new ProblemError(ownProblem("too-slow")));
    request.onabort = () => reject(signal.reason);
    request.onload = () => {
      try {
        resolve(settle(request));
      } catch (error) {
        reject(error);
      }
    };
    request.onloadend = () => signal.removeEventListener("abort", abort);
    request.send(formOf(image, told, heatMap));
  });
