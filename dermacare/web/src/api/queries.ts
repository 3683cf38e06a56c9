import { QueryClient, useQuery } from "@tanstack/react-query";
import { fetchLesionTypes, fetchServing } from "./client";
import { UnreachableError } from "./problem";

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
