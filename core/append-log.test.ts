import { appendFile, mkdtemp, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { AppendLog } from "./append-log.ts";

const week = 7 * 24 * 3600 * 1000;

async function reopen(folder: string): Promise<unknown[]> {
  const values: unknown[] = [];
  const log = await AppendLog.open(folder, { replay: (entry) => values.push(entry.value), keepMs: week });
  await log.close();
  return values;
}

test("what was acknowledged is replayed in order after a restart", async () => {
  const folder = await mkdtemp(join(tmpdir(), "log-"));
  const log = await AppendLog.open(folder, { replay: () => {}, keepMs: week });
  await Promise.all([1, 2, 3].map((n) => log.append({ n })));
  await log.append({ n: 4 });
  await log.close();
  expect(await reopen(folder)).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }, { n: 4 }]);
});

test("a last line cut short by a crash is dropped and the next entry is not glued to it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "log-"));
  const log = await AppendLog.open(folder, { replay: () => {}, keepMs: week });
  await log.append("whole");
  await log.close();
  const [segment] = await readdir(folder);
  await appendFile(join(folder, segment ?? ""), '{"at":"2026-01-01T00:00:00Z","val');
  const second = await AppendLog.open(folder, { replay: () => {}, keepMs: week });
  await second.append("next");
  await second.close();
  expect(await reopen(folder)).toEqual(["whole", "next"]);
});
