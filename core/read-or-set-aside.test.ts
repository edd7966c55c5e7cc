import { mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { ActionNeededError } from "./errors.ts";
import { type OnSetAside, readOrSetAside } from "./read-or-set-aside.ts";

let folder: string;
let path: string;
let told: Parameters<OnSetAside>[0][];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "aside-"));
  path = join(folder, "user1.json");
  told = [];
});

const check = (value: unknown): { n: number } => {
  if (typeof (value as { n?: unknown } | null)?.n === "number") return value as { n: number };
  throw new ActionNeededError("DOCUMENT_INVALID", "it has no number");
};
const read = (more: { leave?: boolean } = {}) =>
  readOrSetAside(path, { check, onSetAside: (found) => told.push(found), ...more });

test("a good document is read, and none at all is none", async () => {
  expect(await read()).toBeUndefined();
  await writeFile(path, '{"n":1}');
  expect(await read()).toEqual({ n: 1 });
  expect(told).toEqual([]);
});

test.each(["{torn", "null", '{"n":"x"}', ""])(
  "%j is moved out of the way, kept and told, and counts as not there",
  async (text) => {
    await writeFile(path, text);
    expect(await read()).toBeUndefined();
    expect(told).toMatchObject([{ path, keptAt: `${path}.unreadable` }]);
    expect(await readdir(folder)).toEqual(["user1.json.unreadable"]);
    expect(await readFile(`${path}.unreadable`, "utf8")).toBe(text);
    expect(await read()).toBeUndefined();
    expect(told).toHaveLength(1);
  },
);

test("it may be left in its place as well", async () => {
  await writeFile(path, "{torn");
  expect(await read({ leave: true })).toBeUndefined();
  expect((await readdir(folder)).sort()).toEqual(["user1.json", "user1.json.unreadable"]);
});

test("a fault of ours, or of the disk, is no broken document", async () => {
  await writeFile(path, '{"n":1}');
  const fault = readOrSetAside(path, {
    check: () => {
      throw new TypeError("ours");
    },
    onSetAside: (found) => told.push(found),
  });
  await expect(fault).rejects.toThrow("ours");
  await expect(readOrSetAside(folder, { check, onSetAside: () => undefined })).rejects.toMatchObject({
    code: "EISDIR",
  });
  expect(told).toEqual([]);
  expect(await readdir(folder)).toEqual(["user1.json"]);
});
