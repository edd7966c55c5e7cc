import fc from "fast-check";
import { expect, test } from "vitest";
import { parseCommand } from "./parse-command.ts";

test("a command is a line of a note, with or without words around it", () => {
  expect(parseCommand("/dtaas plan")).toEqual({ kind: "plan" });
  expect(parseCommand("Looks fine to me.\n\n/dtaas preview tank\nThanks!")).toEqual({
    kind: "preview",
    twins: ["tank"],
  });
  expect(parseCommand("/DTaaS run execute user1/tank")).toEqual({
    kind: "run",
    operation: "execute",
    twin: "user1/tank",
  });
  expect(parseCommand("/dtaas run save\r\n")).toEqual({ kind: "run", operation: "save", twin: undefined });
  expect(parseCommand("/dtaas")).toEqual({ kind: "help" });
});

test("what is quoted, code, hidden or in the middle of a line is no command", () => {
  for (const body of [
    "> /dtaas run clean",
    "```\n/dtaas run clean\n```",
    "~~~sh\n/dtaas run clean",
    "    /dtaas run clean",
    "\t/dtaas run clean",
    "`/dtaas run clean`",
    "<!-- \n/dtaas run clean\n-->",
    "<!--\n/dtaas run clean",
    ">>>\n/dtaas run clean\n>>>",
    "````\n```\n/dtaas run clean\n```\n````",
    "write /dtaas run clean",
    "/dtaasrun clean",
    `/dtaas run ${"x".repeat(400)}`,
    "",
  ]) {
    expect([body, parseCommand(body)]).toEqual([body, undefined]);
  }
});

test("a command after a closed block is one", () => {
  expect(parseCommand("```\ncode\n```\n/dtaas stop")).toEqual({ kind: "stop" });
  expect(parseCommand("<!-- x -->\n/dtaas stop")).toEqual({ kind: "stop" });
});

test("a word that is none is answered with what was meant", () => {
  expect(parseCommand("/dtaas previw")).toMatchObject({ kind: "unknown", hint: "did you mean `preview`?" });
  expect(parseCommand("/dtaas dance")).toMatchObject({
    kind: "unknown",
    hint: "there are plan, preview, stop, run, help",
  });
  expect(parseCommand("/dtaas run")).toMatchObject({ kind: "unknown" });
  expect(parseCommand("/dtaas run a b c")).toMatchObject({ kind: "unknown" });
  expect(parseCommand("/dtaas plan now")).toMatchObject({ kind: "unknown" });
  expect(parseCommand("/dtaas run execute ../../etc")).toMatchObject({ kind: "unknown" });
});

test("whatever is said, it is understood or not, and nothing is thrown", () => {
  fc.assert(fc.property(fc.string(), (body) => void parseCommand(`/dtaas ${body}`)));
});
