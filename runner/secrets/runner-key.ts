import { randomBytes } from "node:crypto";
import { chmod, link, mkdir, readFile, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import { newPrivateKey, publicKeyOf } from "#core/age";
import { writeFileAtomic } from "#core/atomic-file";
import type { DataFolder } from "#core/data-folder";
import { ActionNeededError, isSystemError } from "#core/errors";

// Former keys still open what was sealed to them: files in repositories are sealed again by people, in their own time.
const maxKeys = 5;

/** The keys that secrets are opened with. */
export interface RunnerKeys {
  /** The newest first. */
  privateKeys: readonly string[];
  /** Of the newest: what secrets are sealed to from now on. */
  publicKey: string;
}

/**
 * Reads `runner.key`, and makes it at the first start: X25519, in the form of `age-keygen`, readable by this account
 * only. Errors: `KEY_EXPOSED` where others may read it, `KEY_DAMAGED`.
 */
export async function loadRunnerKeys(data: DataFolder): Promise<RunnerKeys> {
  const path = keyPath(data);
  const found = await read(path);
  if (found !== undefined) return found;
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await chmod(dirname(path), 0o700);
  const fresh = `${path}.${randomBytes(6).toString("hex")}.new`;
  await writeFileAtomic(fresh, await keyText(await newPrivateKey()), 0o600);
  try {
    await link(fresh, path); // whoever comes second finds the key of whoever came first
  } catch (error) {
    if (!isSystemError(error, "EEXIST")) throw error;
  } finally {
    await rm(fresh, { force: true });
  }
  const made = await read(path);
  if (made === undefined) throw new Error(`${path} was written and is not there`);
  return made;
}

/** A new key from now on. What was sealed to the former ones can still be opened. */
export async function rotateRunnerKey(data: DataFolder): Promise<RunnerKeys> {
  const { privateKeys } = await loadRunnerKeys(data);
  const fresh = await newPrivateKey();
  const texts = await Promise.all([fresh, ...privateKeys].slice(0, maxKeys).map(keyText));
  await writeFileAtomic(keyPath(data), texts.join(""), 0o600);
  return await loadRunnerKeys(data);
}

function keyPath(data: DataFolder): string {
  return join(data.runner, "runner.key");
}

async function keyText(privateKey: string): Promise<string> {
  return `# public key: ${await publicKeyOf(privateKey)}\n${privateKey}\n`;
}

async function read(path: string): Promise<RunnerKeys | undefined> {
  let mode: number;
  let text: string;
  try {
    mode = (await stat(path)).mode;
    text = await readFile(path, "utf8");
  } catch (error) {
    if (isSystemError(error, "ENOENT")) return undefined;
    throw error;
  }
  if ((mode & 0o077) !== 0) {
    throw new ActionNeededError("KEY_EXPOSED", `${path} may be read by others than its owner`, {
      where: { file: path },
      hint: `chmod 600 ${path}; if somebody may have read it: node dist/runner/main.js --rotate-key`,
    });
  }
  const privateKeys = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const [newest] = privateKeys;
  try {
    const publicKeys = await Promise.all(privateKeys.map(publicKeyOf));
    if (newest !== undefined) return { privateKeys, publicKey: publicKeys[0] ?? "" };
  } catch {
    // said below: what the library says may repeat a part of the key
  }
  throw new ActionNeededError("KEY_DAMAGED", `${path} does not hold a private key`, {
    where: { file: path },
    hint: "bring it back from a copy; without one remove it, and seal the files of repositories again",
  });
}
