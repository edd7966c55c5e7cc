import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { withEnvironmentFiles } from "./environment-files.ts";

const odd = `'"$(touch x)\`\\ é\n\n`;

function folderWith(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), "environment-files-"));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

function run(command: string[], folder: string): string {
  const [program = "", ...args] = command;
  return execFileSync(program, args, { env: { PATH: process.env["PATH"], DT_SECRETS: folder } }).toString();
}

test("a value arrives as it stands, line ends at its end and all that a shell would read into it", () => {
  const folder = folderWith({ TOKEN: odd, EMPTY: "" });
  const print = [
    "node",
    "-e",
    "console.log(JSON.stringify([process.env.TOKEN, process.env.EMPTY, process.argv.slice(1)]))",
  ];
  const command = withEnvironmentFiles([...print, "a b", "$HOME"], ["TOKEN", "EMPTY"]);
  expect(JSON.parse(run(command, folder))).toEqual([odd, "", ["a b", "$HOME"]]);
  expect(command.join(" ")).not.toContain("touch x");
});

test("the command takes the shell's place, so that signals reach it", () => {
  const folder = folderWith({ TOKEN: "x" });
  const [program = "", ...args] = withEnvironmentFiles(["sh", "-c", "echo $$; cat /proc/$$/comm"], ["TOKEN"]);
  const { stdout, pid } = spawnSync(program, args, {
    env: { PATH: process.env["PATH"], DT_SECRETS: folder },
  });
  expect(stdout.toString().split("\n")[0]).toBe(String(pid));
});

test("a file that is not there ends the command before it begins", () => {
  const [program = "", ...args] = withEnvironmentFiles(["echo", "begun"], ["TOKEN"]);
  const { status, stdout } = spawnSync(program, args, {
    env: { PATH: process.env["PATH"], DT_SECRETS: "/nowhere" },
  });
  expect([status, stdout.toString()]).toEqual([126, ""]);
});

test("without such files the command is what it was, and no name can be more than a name", () => {
  expect(withEnvironmentFiles(["a", "b"])).toEqual(["a", "b"]);
  expect(() => withEnvironmentFiles(["a"], ["A;rm"])).toThrow("is no variable");
});
