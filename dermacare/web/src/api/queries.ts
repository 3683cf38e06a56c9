import { QueryClient, useQuery } from "@tanstack/react-query";
import { fetchExample, fetchLesionTypes, fetchServing } from "./client";
import { ProblemError, UnreachableError } from "./problem";
import type { DiagnosisCode } from "./types";

/** As often as the pages ask what serves; a promotion shows within this, or at the next look at the window. */
const SERVING_EVERY_MS = 30_000;
const AWAY_EVERY_MS = 5_000;

export function createQueryClient(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        // Away servers are asked again by the interval, and what a server has decided does not change by asking at once.
        retry: false,
        // `navigator.onLine` tells of cables, not of a server on loopback.
        networkMode: "always",
      },
    },
  });
}

export function useServing() {
  return useQuery({
    queryKey: ["serving"],
    queryFn: ({ signal }) => fetchServing(signal),
    refetchInterval: ({ state }) => (state.error instanceof UnreachableError ? AWAY_EVERY_MS : SERVING_EVERY_MS),
    refetchOnReconnect: "always",
  });
}

export function useLesionTypes() {
  return useQuery({
    queryKey: ["classes"],
    queryFn: ({ signal }) => fetchLesionTypes(signal),
    staleTime: SERVING_EVERY_MS,
    refetchInterval: ({ state }) => (state.error instanceof UnreachableError ? AWAY_EVERY_MS : false),
  });
}

export function useExample(code: DiagnosisCode) {
  return useQuery({
    queryKey: ["example", code],
    queryFn: ({ signal }) => fetchExample(code, signal),
    staleTime: Number.POSITIVE_INFINITY,
  });
}

/** Whether a query failed since the server wants a key. */
export function wantsKey(error: Error | null): boolean {
  return error instanceof ProblemError && error.problem.status === 401;
}
