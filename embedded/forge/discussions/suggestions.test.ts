import { expect, test } from "vitest";
import { linesOf, parseSuggestions } from "./suggestions.ts";

test("a suggestion is read with its reach, several in one note, and other blocks are not", () => {
  const body = [
    "Better:",
    "```suggestion:-1+2",
    "speed: 2",
    "```",
    "```yaml",
    "speed: 3",
    "```",
    "```suggestion",
    "```",
  ].join("\n");
  expect(parseSuggestions(body)).toEqual([
    { above: 1, below: 2, content: "speed: 2\n" },
    { above: 0, below: 0, content: "" },
  ]);
});

test("a suggestion without an end suggests nothing, and a wide reach is cut", () => {
  expect(parseSuggestions("```suggestion\nendless")).toEqual([]);
  expect(parseSuggestions("```suggestion:-999+999\nx\n```")).toMatchObject([{ above: 100, below: 100 }]);
});

test("lines keep their breaks, also the last without one", () => {
  expect(linesOf("a\r\n\nb")).toEqual(["a\r\n", "\n", "b"]);
  expect(linesOf("")).toEqual([]);
});
