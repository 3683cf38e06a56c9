import { expect, test } from "vitest";
import { codes, kinds, prediction, sexes, sites } from "../answers.test-data";
import { strings } from ".";

test("every diagnosis of the contract has its texts, and no other", () => {
  expect(Object.keys(strings.lesions)).toEqual(codes);
});

test.each(codes)("%s is told in full", (code) => {
  const { name, what, criteria, confusion, risk, sources } = strings.lesions[code];
  for (const text of [name, what, confusion, risk]) expect(text.trim()).not.toBe("");
  expect(criteria.length).toBeGreaterThanOrEqual(4);
  // Author, title, journal, year, pages.
  for (const source of sources) expect(source).toMatch(/\w.*\. .+\. .+ (19|20)\d\d; .+\d\.$/);
  expect(sources.length).toBeGreaterThanOrEqual(2);
});

test("diagnoses are called as the API calls them", () => {
  for (const { code, name } of prediction.diagnoses) expect(strings.lesions[code].name).toBe(name);
});

test("every site and sex of the contract has a word", () => {
  expect(Object.keys(strings.predict.sites)).toEqual(sites);
  expect(Object.keys(strings.predict.sexes)).toEqual(sexes);
});

test("every kind of problem of the contract has its words", () => {
  expect(kinds.length).toBeGreaterThan(10);
  for (const kind of kinds) expect(Object.keys(strings.predict.problems)).toContain(kind);
});
