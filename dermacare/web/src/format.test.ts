import { expect, test } from "vitest";
import { figure, inSeconds, list, percent, probability } from "./format";

test("a probability has one decimal", () => {
  expect(probability(0.7149)).toBe("71.5%");
  expect(probability(0)).toBe("0.0%");
  expect(probability(1)).toBe("100.0%");
});

test("what is not impossible is never shown as 0, what is not certain never as 100", () => {
  expect(probability(0.0004)).toBe("<0.1%");
  expect(probability(0.9996)).toBe(">99.9%");
  expect(probability(0.0005)).toBe("0.1%");
});

test("figures have two decimals, shares none, times one", () => {
  expect(figure(0.8)).toBe("0.80");
  expect(percent(0.175)).toBe("18%");
  expect(inSeconds(1249)).toBe("1.2");
  expect(list(["a", "b", "c"])).toBe("a, b, and c");
});
