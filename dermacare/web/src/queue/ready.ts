import { isReady } from "../api/client";
import { wait } from "./queue";

const EVERY_MS = 3_000;

/** Resolve when the server answers again and has a model: it is asked every three seconds, and at once when the browser says it is online. */
export async function ready(signal: AbortSignal): Promise<void> {
  for (;;) {
    await waitOrOnline(signal);
    if (await isReady()) return;
  }
}

async function waitOrOnline(signal: AbortSignal): Promise<void> {
  const over = new AbortController();
  const online = new Promise<void>((resolve) =>
    window.addEventListener("online", () => resolve(), { signal: over.signal, once: true }),
  );
  try {
    await Promise.race([wait(EVERY_MS, AbortSignal.any([signal, over.signal])), online]);
  } finally {
    over.abort();
  }
}
