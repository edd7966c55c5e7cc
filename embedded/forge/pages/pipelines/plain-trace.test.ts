import { expect, test } from "vitest";
import { plainTrace } from "./plain-trace.ts";

test("a trace is read as a terminal would leave it", () => {
  const trace = [
    "section_start:1700000000:prepare[collapsed=true]\r\u001b[0KPreparing\r\n",
    "\u001b[32;1m$ make\u001b[0m\r\n",
    " 10%\r 50%\r100%\n",
    "section_end:1700000009:prepare\r\u001b[0K\n",
    "done",
  ].join("");
  expect(plainTrace(trace)).toBe("Preparing\n$ make\n100%\n\ndone");
});

test("a trace that begins in the middle of something, and a long one, are no trouble", () => {
  expect(plainTrace("1mhalf\u001b[")).toContain("half");
  const startedAt = performance.now();
  plainTrace(`${"section_start:".repeat(20_000)}${"\r".repeat(200_000)}x`);
  expect(performance.now() - startedAt).toBeLessThan(2_000);
});
