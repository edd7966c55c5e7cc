import { expect, test } from "vitest";
import { Terminal } from "./terminal.ts";

function screen(isTTY: boolean): {
  text: string;
  write(text: string): void;
  isTTY: boolean;
  columns: number;
} {
  return {
    text: "",
    write(text) {
      this.text += text;
    },
    isTTY,
    columns: 40,
  };
}

test("without a terminal only whole lines without control characters are written", () => {
  const plain = screen(false);
  const terminal = new Terminal(plain);
  const tell = terminal.stage("engine");
  tell("starting dockerd");
  terminal.say("a line");
  terminal.done("Docker 20.10");
  expect(plain.text).toMatch(/^a line\n {2}ok {5}engine {6}Docker 20\.10 {2}\d+\.\d s\n$/);
});

test("on a terminal the running stage is redrawn in place and cut to the width", () => {
  const tty = screen(true);
  const terminal = new Terminal(tty);
  terminal.stage("packages")("x".repeat(200));
  terminal.say("a line");
  terminal.done("done");
  const drawn = tty.text.split("\r\u001b[K");
  expect(drawn.some((part) => part.startsWith("  ...    packages"))).toBe(true);
  for (const part of drawn) expect(part.trimEnd().length).toBeLessThan(60);
  expect(tty.text).toContain("a line\n");
});

test("news of a stage that is over changes nothing", () => {
  const tty = screen(true);
  const terminal = new Terminal(tty);
  const tell = terminal.stage("one");
  terminal.done("done");
  const before = tty.text;
  tell("late");
  expect(tty.text).toBe(before);
});
