import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { QueryClientProvider } from "@tanstack/react-query";
import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { serving } from "../answers.test-data";
import { strings } from "../strings";

declare const jsdom: { reconfigure(settings: { url: string }): void };

const { again, noServer, offline } = strings.connection;
let server: Server;
/** What the server does with each request, and how many it was asked. */
let answer: (send: () => void, breakOff: () => void) => void;
let asked: number;

beforeEach(async () => {
  asked = 0;
  answer = (send) => send();
  server = createServer((request, response) => {
    asked++;
    const send = () => response.setHeader("Content-Type", "application/json").end(JSON.stringify(serving));
    answer(send, () => request.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  jsdom.reconfigure({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` });
});

afterEach(async () => {
  vi.restoreAllMocks();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

/** The pages' own line about the connection, once it has asked the server of this test. Returns how it waits for the next answer. */
async function open(): Promise<() => Promise<void>> {
  vi.resetModules(); // the client takes the server's address when it is loaded
  const { Connection } = await import("./connection");
  const { createQueryClient } = await import("../api/queries");
  const queries = createQueryClient();
  render(
    <QueryClientProvider client={queries}>
      <Connection />
    </QueryClientProvider>,
  );
  const settled = () => waitFor(() => expect(queries.isFetching()).toBe(0));
  await settled();
  expect(asked).toBe(1);
  return settled;
}

/** jsdom has no network that could be taken away. */
function unplug() {
  vi.spyOn(navigator, "onLine", "get").mockReturnValue(false);
  window.dispatchEvent(new Event("offline"));
}

test("without a network a server on the same machine is asked, and nothing is warned of while it answers", async () => {
  const settled = await open();
  unplug();
  await waitFor(() => expect(asked).toBe(2));
  await settled();
  expect(screen.getByRole("status")).toBeEmptyDOMElement();
});

test("without a network and without an answer the page says so, and asks again when told to", async () => {
  await open();
  answer = (_send, breakOff) => breakOff();
  unplug();
  expect(await screen.findByText(offline)).toBeVisible();
  answer = (send) => send();
  await userEvent.click(screen.getByRole("button", { name: again }));
  await waitFor(() => expect(screen.getByRole("status")).toBeEmptyDOMElement());
});

test.each([
  ["never answered", false],
  ["answered before", true],
])("while a server that %s is asked again, message and focus stay, and it is asked once", async (_name, answered) => {
  if (!answered) answer = (_send, breakOff) => breakOff();
  await open();
  if (answered) {
    answer = (_send, breakOff) => breakOff();
    window.dispatchEvent(new Event("visibilitychange")); // one looks at the window again
  }
  const button = await screen.findByRole("button", { name: again });
  const before = asked;
  let send = () => {};
  answer = (now) => {
    send = now;
  };
  await userEvent.click(button);
  await waitFor(() => expect(asked).toBe(before + 1));
  await waitFor(() => expect(button).toHaveAttribute("aria-disabled", "true"));
  expect(screen.getByText(noServer)).toBeVisible();
  expect(button).toHaveFocus();
  await userEvent.click(button);
  send();
  await waitFor(() => expect(screen.getByRole("status")).toBeEmptyDOMElement());
  expect(asked).toBe(before + 1);
});
