import createClient from "openapi-fetch";
import { ProblemError, problemOf, retryAfterOf, UnreachableError } from "./problem";
import type { paths } from "./schema";
import type { LesionType, ServingModels } from "./types";

const client = createClient<paths>({ baseUrl: location.origin, cache: "no-store" });

client.use({
  onError() {
    return new UnreachableError();
  },
});

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

function dataOf<T>({ data, error, response }: Answer<T>): T {
  if (response.ok && data !== undefined) return data;
  throw new ProblemError(problemOf(response.status, error), retryAfterOf(response.headers.get("Retry-After")));
}

/** What serves. Throws ProblemError (503: nothing does) or UnreachableError. */
export async function fetchServing(signal: AbortSignal): Promise<ServingModels> {
  return dataOf(await client.GET("/api/v1/models", { signal }));
}

/** The eight diagnoses, in the order of ISIC 2019. */
export async function fetchLesionTypes(signal: AbortSignal): Promise<LesionType[]> {
  return dataOf(await client.GET("/api/v1/classes", { signal }));
}

/** Whether the server answers and has a model that serves. */
export async function isReady(): Promise<boolean> {
  try {
    return (await fetch("/readyz", { cache: "no-store" })).ok;
  } catch {
    return false; // that is the question
  }
}
