import { act, render, screen } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { prediction, problem } from "../../answers.test-data";
import type { Item, State } from "../../queue/queue";
import { strings } from "../../strings";
import { Announcer } from "./announcer";

const text = strings.predict;
const FAILED: State = { kind: "failed", problem: problem("unreadable", 422) };
const SENDING: State = { kind: "sending", share: 0 };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function item(id: number, state: State): Item {
  const told = { age: null, sex: null, site: null, consent: false };
  const file = new File(["bytes"], `${id}.jpg`, { type: "image/jpeg" });
  return { id, key: "", file, url: "", told, state, explanation: { kind: "none" } };
}

/** An announcer, how its images change, and what it says at once and in the end. */
function open(...items: Item[]) {
  const { rerender } = render(<Announcer items={items} />);
  return {
    become: (...now: Item[]) => rerender(<Announcer items={now} />),
    said: () => screen.getByRole("status").textContent,
    wait: () => act(() => vi.runAllTimers()),
  };
}

test("whoever comes back to the page is told nothing of the images that stand there", () => {
  const { become, said, wait } = open(item(1, FAILED), item(2, { kind: "cancelled" }));
  wait();
  expect(said()).toBe("");
  become(item(1, FAILED), item(2, { kind: "cancelled" }), item(3, SENDING));
  wait();
  expect(said()).toBe(text.added(1));
});

test("the same words are said again, after a silence", () => {
  const words = text.announce.failed("1.jpg", text.problems.unreadable ?? "");
  const { become, said, wait } = open(item(1, SENDING));
  for (let times = 0; times < 2; times++) {
    become(item(1, FAILED));
    expect(said()).toBe("");
    wait();
    expect(said()).toBe(words);
    become(item(1, SENDING));
    expect(said()).toBe(words);
  }
});

test("of what comes at nearly the same time nothing is lost", () => {
  const { become, said, wait } = open(item(1, SENDING), item(2, SENDING));
  become(item(1, FAILED), item(2, SENDING));
  become(item(1, FAILED), item(2, { kind: "answered", prediction }));
  become(item(2, { kind: "answered", prediction }));
  wait();
  const failed = text.announce.failed("1.jpg", text.problems.unreadable ?? "");
  expect(said()).toBe([failed, text.announce.answered("2.jpg", "Melanoma", "71.0%"), text.removed("1.jpg")].join(". "));
});
