import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type DataFolder, dataFolder } from "#core/data-folder";
import { TryLaterError } from "#core/errors";
import { createLogger } from "#core/logger";
import { SharedReaders } from "./shared-readers.ts";

const logger = createLogger("test", "silent");
const turbines = { project: "lab/turbines", groups: ["plant"] };
let data: DataFolder;
let members: Record<string, Record<string, number>>;
let down = false;
let asked = 0;
const forge = {
  async members(of: { project: string } | { group: string }) {
    asked += 1;
    if (down) throw new TryLaterError("the host is down", { retryAfterMs: 1 });
    const found = members["project" in of ? of.project : of.group];
    return found && Object.entries(found).map(([username, accessLevel]) => ({ username, accessLevel }));
  },
};

beforeEach(async () => {
  data = dataFolder(await mkdtemp(join(tmpdir(), "readers-")));
  members = { "lab/turbines": { ada: 20, gus: 10 }, plant: { bob: 10 } };
  down = false;
  asked = 0;
});
afterEach(() => rm(data.root, { recursive: true, force: true }));

const who = async (readers: SharedReaders) => {
  const all = await Promise.all(["ada", "bob", "gus", "eve"].map((user) => readers.mayRead(turbines, user)));
  return ["ada", "bob", "gus", "eve"].filter((_, index) => all[index]);
};

test("members who may see code read it, and members of a named group, guests too; nobody else", async () => {
  const readers = await SharedReaders.open(data, forge, logger);
  expect(await who(readers)).toEqual(["ada", "bob"]);
  expect(asked).toBe(2); // the project and the group, once for all
});

test("a change is told with everybody whom it concerns", async () => {
  const readers = await SharedReaders.open(data, forge, logger);
  await readers.refresh([turbines]);
  expect(await readers.refresh([turbines])).toEqual(new Set());
  members["lab/turbines"] = { gus: 20 };
  expect(await readers.refresh([turbines])).toEqual(new Set(["ada", "gus"]));
  expect(await who(readers)).toEqual(["bob", "gus"]);
});

test("a project or group that is gone is read by nobody", async () => {
  const readers = await SharedReaders.open(data, forge, logger);
  await readers.refresh([turbines]);
  members = {};
  expect(await readers.refresh([turbines])).toEqual(new Set(["ada", "bob"]));
  expect(await who(readers)).toEqual([]);
});

test("while the host is down what was known counts, after a restart too; what was never known is not guessed", async () => {
  await who(await SharedReaders.open(data, forge, logger));
  down = true;
  const again = await SharedReaders.open(data, forge, logger);
  expect(await again.refresh([turbines])).toEqual(new Set());
  expect(await who(again)).toEqual(["ada", "bob"]);
  await expect(again.mayRead({ project: "lab/other", groups: [] }, "ada")).rejects.toThrow(
    "the host is down",
  );
});

test("what cannot be understood on disk is set aside, and the host is asked again", async () => {
  for (const text of ["{", "[]", "null", '{"lab/turbines plant":7}']) {
    await writeFile(join(data.root, "readers.json"), text);
    expect(await who(await SharedReaders.open(data, forge, logger))).toEqual(["ada", "bob"]);
  }
});
