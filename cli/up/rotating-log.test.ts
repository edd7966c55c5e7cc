import { mkdtemp, readdir, readFile, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { RotatingLog } from "./rotating-log.ts";

test("a log never outgrows its limit, keeps three older files and loses the oldest lines only", async () => {
  const folder = await mkdtemp(join(tmpdir(), "log-"));
  const path = join(folder, "child.log");
  const log = new RotatingLog(path, 100);
  for (let line = 100; line < 160; line += 1) log.write(`line ${line}`); // 9 bytes each, 11 in a file
  log.close();
  expect((await readdir(folder)).sort()).toEqual(["child.log", "child.log.1", "child.log.2", "child.log.3"]);
  for (const name of await readdir(folder))
    expect((await stat(join(folder, name))).size).toBeLessThanOrEqual(100);
  expect(await readFile(path, "utf8")).toMatch(/line 159\n$/);
  expect(await readFile(`${path}.1`, "utf8")).toContain("line 154\n");
});

test("a restart goes on in the same file", async () => {
  const path = join(await mkdtemp(join(tmpdir(), "log-")), "logs", "child.log");
  for (const word of ["first", "second"]) {
    const log = new RotatingLog(path);
    log.write(word);
    log.close();
  }
  expect(await readFile(path, "utf8")).toBe("first\nsecond\n");
});
