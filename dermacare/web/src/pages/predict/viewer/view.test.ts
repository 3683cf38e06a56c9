import { expect, test } from "vitest";
import { moved, WHOLE, zoomed } from "./view";

const SIZE = { width: 400, height: 300 };

test("zooming leaves the point under the pointer where it is", () => {
  // (100, 60) of the frame shows (100, 60) of the image; at twice the scale that lies at (200, 120), so the image moves by its half.
  expect(zoomed(WHOLE, 2, 100, 60, SIZE)).toEqual({ scale: 2, x: -100, y: -60 });
});

test("zooming stops at the whole image and at eight times", () => {
  expect(zoomed(WHOLE, 0.5, 10, 10, SIZE)).toEqual(WHOLE);
  expect(zoomed(WHOLE, 100, 0, 0, SIZE).scale).toBe(8);
});

test("no edge of the image comes within the frame", () => {
  const near = zoomed(WHOLE, 2, 200, 150, SIZE);
  expect(moved(near, 1000, 1000, SIZE)).toEqual({ scale: 2, x: 0, y: 0 });
  expect(moved(near, -1000, -1000, SIZE)).toEqual({ scale: 2, x: -400, y: -300 });
  expect(moved(WHOLE, 50, 50, SIZE)).toEqual(WHOLE);
});
