import { expect, test } from "vitest";
import { Parameters } from "./parameters.ts";

const parameters = new Parameters({
  text: "a",
  number: 5,
  yes: "1",
  no: false,
  list: "a, b",
  array: ["x", 1],
  hashes: { 0: { key: "k" } },
  deep: { a: 1 },
  nothing: null,
  day: "2026-12-31T10:00:00Z",
});

test("texts, numbers and truths are read however they were sent", () => {
  expect([parameters.text("number"), parameters.integer("number")]).toEqual(["5", 5]);
  expect([parameters.boolean("yes"), parameters.boolean("no"), parameters.boolean("absent")]).toEqual([
    true,
    false,
    undefined,
  ]);
  expect([parameters.texts("list"), parameters.texts("array")]).toEqual([
    ["a", "b"],
    ["x", "1"],
  ]);
  expect(parameters.records("hashes")?.map((each) => each.text("key"))).toEqual(["k"]);
  expect(parameters.day("day")).toBe("2026-12-31");
  expect([parameters.has("nothing"), parameters.text("nothing")]).toEqual([true, undefined]);
});

test.each([
  [() => parameters.required("absent"), "absent is missing"],
  [() => parameters.text("deep"), "deep is invalid"],
  [() => parameters.integer("text"), "text is invalid"],
  [() => parameters.boolean("number"), "number is invalid"],
  [() => parameters.choice("text", ["b"]), "text does not have a valid value"],
  [() => parameters.records("list"), "list is invalid"],
  [() => parameters.day("text"), "text is invalid"],
])("a bad parameter is named", (read, error) => {
  expect(read).toThrow(expect.objectContaining({ status: 400, body: { error } }));
});

test.each([
  ["True", true],
  ["on", true],
  ["False", false],
  ["off", false],
])("%s is taken for a truth, as clients in other languages send it", (text, truth) => {
  expect(new Parameters({ flag: text }).boolean("flag")).toBe(truth);
});

test("names that every object has are not parameters", () => {
  expect([parameters.has("constructor"), parameters.text("toString")]).toEqual([false, undefined]);
});
