import { mkdir, mkdtemp, readdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { folderHolder, lockFolder } from "./folder-lock.ts";

const newFolder = () => mkdtemp(join(tmpdir(), "lock-"));

test("a second start on the same data folder is refused and told whom to stop", async () => {
  const folder = await newFolder();
  const lock = await lockFolder(folder);
  await expect(lockFolder(folder)).rejects.toMatchObject({
    code: "ALREADY_UP",
    hint: expect.stringContaining(`kill ${process.pid}`),
  });
  await lock.release();
});

test("after a stop the folder is free again", async () => {
  const folder = await newFolder();
  const lock = await lockFolder(folder);
  expect(await folderHolder(folder)).toMatchObject({ pid: process.pid });
  await lock.release();
  expect(await folderHolder(folder)).toBeUndefined();
  await (await lockFolder(folder)).release();
});

test("the lock of a process that has died is taken over, even when its number lives on in another process", async () => {
  const folder = await newFolder();
  await mkdir(join(folder, "lock"));
  await writeFile(join(folder, "lock", "7"), JSON.stringify({ pid: process.pid, startTicks: 1 }));
  const lock = await lockFolder(folder);
  await expect(lockFolder(folder)).rejects.toMatchObject({ code: "ALREADY_UP" });
  expect(await readdir(join(folder, "lock"))).toEqual(["8"]);
  await lock.release();
});

test("of many starts at the same moment over a dead lock exactly one gets the folder", async () => {
  for (let round = 0; round < 20; round += 1) {
    const folder = await newFolder();
    await mkdir(join(folder, "lock"));
    await writeFile(join(folder, "lock", "3"), "torn {");
    const outcomes = await Promise.allSettled(Array.from({ length: 12 }, () => lockFolder(folder)));
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    const reasons = outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [outcome.reason] : []));
    expect(reasons.every((reason) => reason.code === "ALREADY_UP")).toBe(true);
  }
});
