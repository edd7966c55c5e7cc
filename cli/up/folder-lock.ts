import { randomBytes } from "node:crypto";
import { link, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { readTextIfThere, writeFileAtomic } from "#core/atomic-file";
import { ActionNeededError, isSystemError } from "#core/errors";
import { identifyProcess, isAlive, type ProcessIdentity, toProcessIdentity } from "#core/process-identity";

const attempts = 50; // many starts at the same moment; all but one find a living holder soon
const released = "released\n";

export interface FolderLock {
  release(): Promise<void>;
}

/**
 * Takes the data folder for this process. A lock whose process has died is taken over; one that is held is
 * `ActionNeededError("ALREADY_UP")`. Of several at the same moment exactly one gets it.
 *
 * Locks are numbered files that name their holder, and the highest number counts. Taking one over makes the next number, which the
 * file system grants to one only; the highest is never removed, so that a number is never granted twice.
 */
export async function lockFolder(folder: string): Promise<FolderLock> {
  const locks = join(folder, "lock");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await mkdir(locks, { recursive: true });
  const mine = join(locks, `${randomBytes(6).toString("hex")}.tmp`);
  await writeFile(mine, `${JSON.stringify(identifyProcess(process.pid))}\n`);
  try {
    for (let attempt = 1; attempt <= attempts; attempt += 1) {
      const highest = (await numbers(locks)).at(-1) ?? 0;
      const holder = await holderOf(locks, highest);
      if (holder !== undefined) throw held(folder, holder);
      const number = highest + 1;
      if (!(await linked(mine, join(locks, String(number))))) continue;
      const all = await numbers(locks);
      if (all.at(-1) === number) {
        for (const old of all.slice(0, -1)) await rm(join(locks, String(old)), { force: true });
        return { release: () => writeFileAtomic(join(locks, String(number)), released) };
      }
      await rm(join(locks, String(number)), { force: true }); // we looked so long ago that it was no longer the next
    }
    throw new ActionNeededError("ALREADY_UP", `the lock of ${folder} cannot be taken`, { hint: "try again" });
  } finally {
    await rm(mine, { force: true });
  }
}

/** The process that holds the folder now. */
export async function folderHolder(folder: string): Promise<ProcessIdentity | undefined> {
  const locks = join(folder, "lock");
  const highest = (await numbers(locks).catch(() => [])).at(-1);
  return highest === undefined ? undefined : holderOf(locks, highest);
}

async function numbers(locks: string): Promise<number[]> {
  const names = (await readdir(locks)).filter((name) => /^\d+$/.test(name));
  return names.map(Number).sort((a, b) => a - b);
}

async function holderOf(locks: string, number: number): Promise<ProcessIdentity | undefined> {
  const text = number === 0 ? undefined : await readTextIfThere(join(locks, String(number)));
  const holder = toProcessIdentity(parse(text ?? ""));
  return holder !== undefined && isAlive(holder) ? holder : undefined;
}

function held(folder: string, holder: ProcessIdentity): ActionNeededError {
  return new ActionNeededError(
    "ALREADY_UP",
    `the platform is up already on ${folder} (process ${holder.pid})`,
    {
      hint: `stop it with: kill ${holder.pid}; or use another folder: --data <folder>`,
    },
  );
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (isSystemError(error, "EEXIST")) return false;
    throw error;
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
