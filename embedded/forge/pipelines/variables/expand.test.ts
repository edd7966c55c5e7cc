import { expect, test } from "vitest";
import { expandAll, expandText } from "./expand.ts";

test("names are replaced, with and without braces, and two dollars are one", () => {
  const all = { A: "1", B_2: "x" };
  // biome-ignore lint/suspicious/noTemplateCurlyInString: as people write it
  expect(expandText("$A-${B_2}-$C-$$A-5$-${no", all)).toBe("1-x--$A-5$-${no");
});

test("names that every object has are no variables", () => {
  expect(expandText("$constructor$toString", {})).toBe("");
});

test("values see each other, whatever their order, raw ones excepted", () => {
  expect(
    expandAll({ URL: "http://$HOST/$PATH_", HOST: "$NAME.org", NAME: "a", PATH_: "$x" }, new Set(["PATH_"])),
  ).toEqual({
    URL: "http://a.org/$x",
    HOST: "a.org",
    NAME: "a",
    PATH_: "$x",
  });
});

test("what names itself ends", () => {
  expect(expandAll({ A: "a$B", B: "b$A", C: "c$C" })).toEqual({ A: "ab", B: "b", C: "c" });
});

test("values that double each other do not grow without end", () => {
  const doubling = Object.fromEntries(
    Array.from({ length: 16 }, (_, at) => [
      `V${at}`,
      at === 15 ? "x".repeat(100) : `$V${at + 1}$V${at + 1}$V${at + 1}`,
    ]),
  );
  for (const value of Object.values(expandAll(doubling))) expect(value.length).toBeLessThanOrEqual(64 * 1024);
});
