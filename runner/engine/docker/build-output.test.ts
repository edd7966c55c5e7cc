import { expect, test } from "vitest";
import { BuildOutput } from "./build-output.ts";

function read(text: string, chunkBytes: number): { lines: string[]; output: BuildOutput } {
  const lines: string[] = [];
  const output = new BuildOutput((line) => lines.push(line));
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += chunkBytes) output.write(bytes.subarray(at, at + chunkBytes));
  output.end();
  return { lines, output };
}

const message = (stream: string) => `${JSON.stringify({ stream })}\r\n`;

test("lines come out whole, however the engine cuts them", () => {
  const text = `${message("Step 1/2 : FROM x\n")}${message("gr")}${message("üße\nnext\n")}{"aux":{"ID":"sha256:1"}}\r\n${message("end")}`;
  for (const chunkBytes of [1, 2, 7, 10_000]) {
    expect(read(text, chunkBytes).lines).toEqual(["Step 1/2 : FROM x", "grüße", "next", "end"]);
  }
});

test("a failure is kept together with the last lines", () => {
  const many = Array.from({ length: 100 }, (_, index) => message(`line ${index}\n`)).join("");
  const { output } = read(`${many}{"error":"it returned a non-zero code: 7"}\n`, 100);
  expect(output.failure).toBe("it returned a non-zero code: 7");
  expect(output.lastLines).toHaveLength(20);
  expect(output.lastLines.at(-1)).toBe("line 99");
});

test("progress bars and colours do not grow the memory or the log", () => {
  const { lines } = read(message(`\u001b[31m10%\r\u001b[0m20%\r`) + message("x".repeat(40_000)), 5_000);
  expect(lines.slice(0, 2)).toEqual(["10%", "20%"]);
  expect(lines.slice(2).map((line) => line.length)).toEqual([16_384, 16_384, 7_232]);
});

test("nonsense is passed over", () => {
  expect(read(`not json\n\n[]\n${message("fine\n")}`, 3).lines).toEqual(["fine"]);
});
