import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { prediction, problem } from "../answers.test-data";
import type { Send, SendOptions, Told } from "../api/predict";
import { ProblemError, UnreachableError } from "../api/problem";
import type { Prediction } from "../api/types";
import { Queue } from "./queue";

const TOLD = { age: 54, sex: null, site: null, consent: false };

/** A server whose answers a test decides one by one, in the order in which the images came to it. */
class Server {
  readonly calls: {
    image: File;
    told: Told;
    options: SendOptions;
    answer: (value: Prediction) => void;
    fail: (error: Error) => void;
  }[] = [];
  readonly send: Send = (image, told, options) =>
    new Promise((answer, fail) => {
      options.signal.addEventListener("abort", () => fail(options.signal.reason));
      this.calls.push({ image, told, options, answer, fail });
    });
  call(index: number) {
    const call = this.calls[index];
    if (!call) throw new Error(`the server was not asked ${index + 1} times`);
    return call;
  }
}

function start() {
  const server = new Server();
  let back = () => {};
  const ready = () => new Promise<void>((resolve) => (back = resolve));
  const queue = new Queue({ send: server.send, ready, now: () => Date.now() });
  return { server, queue, back: () => back(), kinds: () => queue.snapshot().map((item) => item.state.kind) };
}

const image = (name: string) => new File(["bytes"], name, { type: "image/jpeg" });
const settle = () => vi.advanceTimersByTimeAsync(0);

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("two images are sent at once, and the third when one is answered", async () => {
  const { server, queue, kinds } = start();
  queue.add([image("a"), image("b"), image("c")], TOLD);
  expect(kinds()).toEqual(["sending", "sending", "waiting"]);
  server.call(0).answer(prediction);
  await settle();
  expect(kinds()).toEqual(["answered", "sending", "sending"]);
  expect(server.calls.map((call) => call.image.name)).toEqual(["a", "b", "c"]);
});

test("an image is looked at once all of its bytes have left", () => {
  const { server, queue } = start();
  queue.add([image("a")], TOLD);
  server.call(0).options.onSent(0.4);
  expect(queue.snapshot()[0]?.state).toEqual({ kind: "sending", share: 0.4 });
  server.call(0).options.onSent(1);
  expect(queue.snapshot()[0]?.state).toEqual({ kind: "looking", since: Date.now() });
});

test("a busy server is asked again after the seconds that it names, and not before", async () => {
  const { server, queue, kinds } = start();
  queue.add([image("a")], TOLD);
  server.call(0).fail(new ProblemError(problem("busy", 429), 2));
  await settle();
  expect(kinds()).toEqual(["busy"]);
  await vi.advanceTimersByTimeAsync(1999);
  expect(server.calls).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1);
  server.call(1).answer(prediction);
  await settle();
  expect(kinds()).toEqual(["answered"]);
});

test("a problem that waiting does not mend is an end, until somebody tries again", async () => {
  const { server, queue, kinds } = start();
  const [id] = queue.add([image("a")], TOLD);
  const broken = problem("unreadable", 422);
  server.call(0).fail(new ProblemError(broken));
  await settle();
  expect(queue.snapshot()[0]?.state).toEqual({ kind: "failed", problem: broken });
  queue.retry(id ?? 0);
  server.call(1).answer(prediction);
  await settle();
  expect(kinds()).toEqual(["answered"]);
});

test("without a network what was answered stays, and the rest is sent by itself when it is back", async () => {
  const { server, queue, kinds, back } = start();
  queue.add([image("a")], TOLD);
  server.call(0).answer(prediction);
  await settle();
  queue.add([image("b")], TOLD);
  server.call(1).fail(new UnreachableError());
  await settle();
  expect(kinds()).toEqual(["answered", "unreachable"]);
  back();
  await settle();
  server.call(2).answer(prediction);
  await settle();
  expect(kinds()).toEqual(["answered", "answered"]);
});

test("an image that is sent again goes under the same key, another image or question under another", async () => {
  const { server, queue, back } = start();
  const [id] = queue.add([image("a")], TOLD);
  server.call(0).fail(new UnreachableError());
  await settle();
  back();
  await settle();
  server.call(1).fail(new ProblemError(problem("not-logged", 503)));
  await settle();
  queue.retry(id ?? 0);
  server.call(2).answer(prediction);
  await settle();
  queue.add([image("b")], TOLD);
  void queue.explain(id ?? 0);
  const [first, ...others] = server.calls.map((call) => call.options.key);
  expect(others.slice(0, 2)).toEqual([first, first]);
  expect(new Set(others.slice(1)).size).toBe(3);
});

test("a connection that breaks three times, while the server is ready, is an end", async () => {
  const { server, queue, back } = start();
  queue.add([image("a")], TOLD);
  for (const time of [0, 1]) {
    server.call(time).fail(new UnreachableError());
    await settle();
    expect(queue.snapshot()[0]?.state.kind).toBe("unreachable");
    back();
    await settle();
  }
  server.call(2).fail(new UnreachableError());
  await settle();
  expect(queue.snapshot()[0]?.state).toMatchObject({
    kind: "failed",
    problem: { type: "urn:dermacare:problem:broken-off", status: 0 },
  });
  expect(server.calls).toHaveLength(3);
});

test("a server without a model yet is asked again when it has one", async () => {
  const { server, queue, kinds, back } = start();
  queue.add([image("a")], TOLD);
  server.call(0).fail(new ProblemError(problem("not-ready", 503)));
  await settle();
  expect(kinds()).toEqual(["unready"]);
  back();
  await settle();
  server.call(1).answer(prediction);
  await settle();
  expect(kinds()).toEqual(["answered"]);
});

test("a cancelled image is left alone by an answer that comes too late, and makes room for the next", async () => {
  const { server, queue, kinds } = start();
  const [id] = queue.add([image("a"), image("b"), image("c")], TOLD);
  queue.cancel(id ?? 0);
  server.call(0).answer(prediction);
  await settle();
  expect(server.call(0).options.signal.aborted).toBe(true);
  expect(kinds()).toEqual(["cancelled", "sending", "sending"]);
});

test("a cancelled image that waits for a busy server is not sent again", async () => {
  const { server, queue } = start();
  const [id] = queue.add([image("a")], TOLD);
  server.call(0).fail(new ProblemError(problem("busy", 429), 2));
  await settle();
  queue.cancel(id ?? 0);
  await vi.advanceTimersByTimeAsync(5000);
  expect(server.calls).toHaveLength(1);
});

test("a removed image is forgotten, and what it was asked is broken off", async () => {
  const { server, queue } = start();
  const [id] = queue.add([image("a")], TOLD);
  queue.remove(id ?? 0);
  await settle();
  expect(queue.snapshot()).toEqual([]);
  expect(server.call(0).options.signal.aborted).toBe(true);
});

test("a heat map is asked for without consent, and comes to stand in the first answer", async () => {
  const { server, queue } = start();
  const [id] = queue.add([image("a")], { ...TOLD, consent: true });
  const first = { ...prediction, heat_map: null, image: { ...prediction.image, kept: true } };
  server.call(0).answer(first);
  await settle();
  const asked = queue.explain(id ?? 0);
  expect(queue.snapshot()[0]?.explanation).toEqual({ kind: "asked" });
  expect(server.call(1).options.heatMap).toBe(true);
  expect(server.calls.map((call) => call.told.consent)).toEqual([true, false]);
  server.call(1).answer({ ...prediction, id: "1".repeat(32) });
  await asked;
  expect(queue.snapshot()[0]).toMatchObject({
    told: { consent: true },
    state: { kind: "answered", prediction: { ...first, heat_map: prediction.heat_map } },
    explanation: { kind: "none" },
  });
});

const { classifier } = prediction.models;
test.each([
  [
    "of other models",
    { models: { ...prediction.models, classifier: classifier && { ...classifier, digest: "f" } } },
    "changed",
  ],
  ["of another diagnosis", { diagnoses: prediction.diagnoses.slice(1) }, "changed"],
  ["of a model that cannot be explained", { heat_map: null }, "absent"],
])("a heat map %s is not shown", async (_what, change, kind) => {
  const { server, queue } = start();
  const [id] = queue.add([image("a")], TOLD);
  const first = { ...prediction, heat_map: null };
  server.call(0).answer(first);
  await settle();
  const asked = queue.explain(id ?? 0);
  server.call(1).answer({ ...prediction, ...change });
  await asked;
  expect(queue.snapshot()[0]).toMatchObject({ state: { prediction: first }, explanation: { kind } });
});

test("a heat map that is not to be had leaves the answer as it is", async () => {
  const { server, queue } = start();
  const [id] = queue.add([image("a")], TOLD);
  server.call(0).answer(prediction);
  await settle();
  const asked = queue.explain(id ?? 0);
  server.call(1).fail(new ProblemError(problem("fault", 500)));
  await asked;
  expect(queue.snapshot()[0]).toMatchObject({ state: { kind: "answered" }, explanation: { kind: "failed" } });
});

test("whoever listens is told of every change, and no longer after he left", () => {
  const { queue } = start();
  const listener = vi.fn();
  const leave = queue.subscribe(listener);
  queue.add([image("a")], TOLD);
  expect(listener).toHaveBeenCalled();
  listener.mockClear();
  leave();
  queue.add([image("b")], TOLD);
  expect(listener).not.toHaveBeenCalled();
});
