import { expect, test } from "vitest";
import { givenParameters } from "./given-parameters.ts";

test("what is typed becomes numbers, lists, mappings, and text where it is nothing else", () => {
  expect(
    givenParameters(["a=22.5", "b=true", "c=[1,2]", "d=two words", 'e="7"', "f=", "g.h.i=1", "g.j=x=y"]),
  ).toEqual({ a: 22.5, b: true, c: [1, 2], d: "two words", e: "7", f: "", g: { h: { i: 1 }, j: "x=y" } });
});

test.each([["a"], ["=1"], ["a..b=1"], ["a b=1"], ["__proto__.x=1"]])("%j is wrong usage", (word) => {
  expect(() => givenParameters([word])).toThrow(expect.objectContaining({ code: "USAGE" }));
});

test("a name twice, or inside what is no mapping, is wrong usage", () => {
  expect(() => givenParameters(["a=1", "a=2"])).toThrow("contradicts");
  expect(() => givenParameters(["a=1", "a.b=2"])).toThrow("contradicts");
});
