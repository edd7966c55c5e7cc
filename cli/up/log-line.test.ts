import { expect, test } from "vitest";
import { tellingLine } from "./log-line.ts";

test("a warning is one line with its reason and its ids", () => {
  const line =
    '{"level":40,"name":"controller","project":"dtaas/user1","err":"429","msg":"the forge says slow down"}';
  expect(tellingLine(line)).toEqual({
    level: "warning",
    text: "the forge says slow down: 429 (project dtaas/user1)",
  });
});

test("what only informs stays in the log file", () => {
  expect(tellingLine('{"level":30,"msg":"listening"}')).toBeUndefined();
  expect(tellingLine('{"name":"forge","msg":"listening"}')).toBeUndefined();
});

test("of a crash the message is shown and the stack is not", () => {
  const crash = [
    "node:internal/modules:1",
    "Error: it broke",
    "    at main (main.js:1:1)",
    "  code: 'X'",
    "}",
    "Node.js v20.20.2",
  ];
  expect(crash.flatMap((line) => tellingLine(line)?.text ?? [])).toEqual(["Error: it broke"]);
});

test("an error object is told by its message and hint", () => {
  const line =
    '{"level":50,"err":{"message":"DTAAS_DATA is missing","hint":"set it","stack":"x"},"msg":"cannot start"}';
  expect(tellingLine(line)).toEqual({ level: "error", text: "cannot start: DTAAS_DATA is missing; set it" });
});
