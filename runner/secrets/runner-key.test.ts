import { chmod, mkdtemp, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { seal, unseal } from "#core/age";
import { dataFolder } from "#core/data-folder";
import { loadRunnerKeys, rotateRunnerKey } from "./runner-key.ts";

const newData = async () => dataFolder(await mkdtemp(join(tmpdir(), "runner-key-")));
const path = (data: { runner: string }) => join(data.runner, "runner.key");

test("the key is made at the first start, readable by its owner only, and is the same from then on", async () => {
  const data = await newData();
  const made = await loadRunnerKeys(data);
  expect(await loadRunnerKeys(data)).toEqual(made);
  expect((await stat(path(data))).mode & 0o777).toBe(0o600);
  expect((await stat(data.runner)).mode & 0o777).toBe(0o700);
  expect(await readFile(path(data), "utf8")).toBe(
    `# public key: ${made.publicKey}\n${made.privateKeys[0]}\n`,
  );
});

test("several that start at once have one key", async () => {
  const data = await newData();
  const all = await Promise.all(Array.from({ length: 5 }, () => loadRunnerKeys(data)));
  expect(new Set(all.map(({ publicKey }) => publicKey)).size).toBe(1);
  expect(await readdir(data.runner)).toEqual(["runner.key"]);
});

test("a new key is used from then on, and what was sealed to the former ones can still be opened", async () => {
  const data = await newData();
  const first = await loadRunnerKeys(data);
  const sealed = await seal(first.publicKey, Buffer.from("text"));
  const second = await rotateRunnerKey(data);
  expect(second.publicKey).not.toBe(first.publicKey);
  expect(second.privateKeys[1]).toBe(first.privateKeys[0]);
  expect((await unseal(second.privateKeys, sealed)).kind).toBe("opened");
  for (let n = 0; n < 5; n += 1) await rotateRunnerKey(data);
  expect((await loadRunnerKeys(data)).privateKeys).toHaveLength(5);
  expect((await stat(path(data))).mode & 0o777).toBe(0o600);
});

test("a key that others may read, or that is none, is refused without being repeated", async () => {
  const data = await newData();
  const { privateKeys } = await loadRunnerKeys(data);
  await chmod(path(data), 0o644);
  await expect(loadRunnerKeys(data)).rejects.toMatchObject({ code: "KEY_EXPOSED" });
  await chmod(path(data), 0o600);
  for (const text of ["", "nonsense\n", `${privateKeys[0]?.slice(0, -1)}\n`]) {
    await writeFile(path(data), text);
    const error = await loadRunnerKeys(data).catch((caught: unknown) => caught as { code: string });
    expect(error).toMatchObject({ code: "KEY_DAMAGED" });
    expect(String(error)).not.toContain("AGE-SECRET-KEY");
  }
});
