import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { mostBytes, prediction, problem } from "../answers.test-data";
import { MOST_BYTES, newKey, sendImage, type Told } from "./predict";
import { ProblemError, UnreachableError } from "./problem";

// A real server at the page's own address: jsdom's XMLHttpRequest sends over a real socket.
declare const jsdom: { reconfigure: (settings: { url: string }) => void };
const KEY = "0123456789abcdef".repeat(2);
const TOLD: Told = { age: 54, sex: "female", site: null, consent: true };

let server: Server;
let client: typeof import("./client");
let answer: (request: IncomingMessage, body: string, response: ServerResponse) => void;

function json(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}) {
  response.writeHead(status, { "Content-Type": "application/json", ...headers }).end(JSON.stringify(body));
}

beforeAll(async () => {
  server = createServer((request, response) => {
    // jsdom keeps the origin that it began with, so that to XMLHttpRequest this server is another's.
    response.setHeader("Access-Control-Allow-Origin", "*");
    response.setHeader("Access-Control-Allow-Headers", "*, Authorization");
    response.setHeader("Access-Control-Expose-Headers", "*");
    if (request.method === "OPTIONS") return void response.end();
    let body = "";
    request.on("data", (chunk: Buffer) => {
      body += chunk.toString("latin1");
    });
    request.on("end", () => answer(request, body, response));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  jsdom.reconfigure({ url: `http://127.0.0.1:${port}/` });
  client = await import("./client"); // it reads the page's address once
});
afterAll(() => void server.close());

function send(signal = new AbortController().signal, onSent = (_share: number) => {}) {
  return sendImage(new File(["lesion"], "a.jpg", { type: "image/jpeg" }), TOLD, {
    heatMap: false,
    key: KEY,
    signal,
    onSent,
  });
}

test("an image goes out as the form that the contract asks for, and what was not told stays out of it", async () => {
  let sent = "";
  let key: string | string[] | undefined;
  answer = (request, body, response) => {
    sent = body;
    key = request.headers["idempotency-key"];
    json(response, 200, prediction);
  };
  const shares: number[] = [];
  expect(await send(undefined, (share) => shares.push(share))).toEqual(prediction);
  expect(sent).toContain('name="image"; filename="a.jpg"');
  expect(sent).toMatch(/name="age"\r\n\r\n54\r\n/);
  expect(sent).toMatch(/name="sex"\r\n\r\nfemale\r\n/);
  expect(sent).toMatch(/name="consent"\r\n\r\ntrue\r\n/);
  expect(sent).not.toContain('name="site"');
  expect(key).toBe(KEY);
  expect(shares.at(-1)).toBe(1);
});

test("each key is another one, as the contract wants it", () => {
  const keys = Array.from({ length: 100 }, newKey);
  expect(new Set(keys).size).toBe(100);
  for (const key of keys) expect(key).toMatch(/^[0-9a-f]{32}$/);
});

test("a problem document is thrown as it came, with the seconds to wait", async () => {
  const busy = problem("busy", 429);
  answer = (_request, _body, response) => json(response, 429, busy, { "Retry-After": "3" });
  const error = await send().catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(ProblemError);
  expect(error).toMatchObject({ problem: busy, retryAfter: 3 });
});

test("a proxy's page instead of an answer is a problem too", async () => {
  answer = (_request, _body, response) => void response.writeHead(502).end("<html>Bad Gateway</html>");
  expect(await send().catch((reason: unknown) => reason)).toMatchObject({
    problem: { status: 502, detail: "HTTP 502" },
  });
  answer = (_request, _body, response) => void response.writeHead(200).end("<html>Log in</html>");
  expect(await send().catch((reason: unknown) => reason)).toBeInstanceOf(ProblemError);
});

test("a connection that breaks means that the server is unreachable", async () => {
  answer = (request) => void request.socket.destroy();
  await expect(send()).rejects.toBeInstanceOf(UnreachableError);
  await expect(client.fetchServing(new AbortController().signal)).rejects.toBeInstanceOf(UnreachableError);
  expect(await client.isReady()).toBe(false);
});

test("a file that is larger than the contract takes is told so, and not sent", async () => {
  expect(MOST_BYTES).toBe(mostBytes);
  const asked = vi.fn();
  answer = asked;
  const image = new File([new Uint8Array(MOST_BYTES + 1)], "a.jpg");
  const options = { heatMap: false, key: KEY, signal: new AbortController().signal, onSent: () => {} };
  await expect(sendImage(image, TOLD, options)).rejects.toMatchObject({
    problem: { status: 0, type: "urn:dermacare:problem:too-large" },
  });
  expect(asked).not.toHaveBeenCalled();
});

test("an image that takes too long is a problem, not a server that is away", async () => {
  const timeout = vi.spyOn(XMLHttpRequest.prototype, "timeout", "set").mockImplementation(function (
    this: XMLHttpRequest,
  ) {
    // The browser's own clock is not waited for.
    queueMicrotask(() => this.dispatchEvent(new ProgressEvent("timeout")));
  });
  answer = () => {};
  await expect(send()).rejects.toMatchObject({ problem: { status: 0, type: "urn:dermacare:problem:too-slow" } });
  expect(timeout).toHaveBeenCalledWith(120_000);
  timeout.mockRestore();
});

test("whoever cancels gets his own reason back", async () => {
  const controller = new AbortController();
  answer = () => controller.abort(new Error("enough"));
  await expect(send(controller.signal)).rejects.toThrow("enough");
});

test("no model that serves is a problem with its reason", async () => {
  answer = (_request, _body, response) => json(response, 503, problem("not-ready", 503, "no model serves yet"));
  await expect(client.fetchServing(new AbortController().signal)).rejects.toMatchObject({
    problem: { detail: "no model serves yet" },
  });
});
