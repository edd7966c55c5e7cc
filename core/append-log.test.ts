import { appendFile, mkdtemp, readdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { AppendLog } from "./append-log.ts";

const week = 7 * 24 * 3600 * 1000;
const onUnreadable = (path: string) => {
  throw new Error(`${path} has lines that cannot be read`);
};

async function reopen(folder: string): Promise<unknown[]> {
  const values: unknown[] = [];
  const log = await AppendLog.open(folder, {
    replay: (entry) => values.push(entry.value),
    keepMs: week,
    onUnreadable,
  });
  await log.close();
  return values;
}

test("what was acknowledged is replayed in order after a restart", async () => {
  const folder = await mkdtemp(join(tmpdir(), "log-"));
  const log = await AppendLog.open(folder, { replay: () => {}, keepMs: week, onUnreadable });
  await Promise.all([1, 2, 3].map((n) => log.append({ n })));
  await log.append({ n: 4 });
  await log.close();
  expect(await reopen(folder)).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }, { n: 4 }]);
});

test("a last line cut short by a crash is dropped and the next entry is not glued to it", async () => {
  const folder = await mkdtemp(join(tmpdir(), "log-"));
  const log = await AppendLog.open(folder, { replay: () => {}, keepMs: week, onUnreadable });
  await log.append("whole");
  await log.close();
  const [segment] = await readdir(folder);
  await appendFile(join(folder, segment ?? ""), '{"at":"2026-01-01T00:00:00Z","val');
  const second = await AppendLog.open(folder, { replay: () => {}, keepMs: week, onUnreadable });
  await second.append("next");
  await second.close();
  expect(await reopen(folder)).toEqual(["whole", "next"]);
});

test("lines that are none of ours are told and left in their file, and all others are replayed", async () => {
  const folder = await mkdtemp(join(tmpdir(), "log-"));
  const log = await AppendLog.open(folder, { replay: () => {}, keepMs: week, onUnreadable });
  await log.append("first");
  await log.close();
  const [segment = ""] = await readdir(folder);
  const odd = ["{torn", "null", "7", '{"at":"yesterday","value":1}', '{"at":1}'];
  await appendFile(join(folder, segment), `${odd.join("\n")}\n`);
  const bytes = Buffer.concat([Buffer.from([0xff, 0xfe, 0x0a]), Buffer.from([0xff, 0xff])]);
  await appendFile(join(folder, segment), bytes); // one more such line, and a torn one
  const values: unknown[] = [];
  const told: [string, number[]][] = [];
  const again = await AppendLog.open(folder, {
    replay: ({ value }) => {
      if (value === "second") throw new Error("not understood");
      values.push(value);
    },
    keepMs: week,
    onUnreadable: (path, lines) => told.push([path, lines]),
  });
  await again.append("second");
  await again.append("third");
  await again.close();
  expect(values).toEqual(["first"]);
  expect(told).toEqual([[join(folder, segment), [2, 3, 4, 5, 6, 7]]]);
  const rest: unknown[] = [];
  await (
    await AppendLog.open(folder, {
      replay: ({ value }) => {
        if (value === "second") throw new Error("not understood");
        rest.push(value);
      },
      keepMs: week,
      onUnreadable: (_path, lines) => told.push(["", lines]),
    })
  ).close();
  expect(rest).toEqual(["first", "third"]);
  expect(told.at(-1)).toEqual(["", [2, 3, 4, 5, 6, 7, 8]]);
  expect(await readFile(join(folder, segment), "utf8")).toContain("{torn");
});
