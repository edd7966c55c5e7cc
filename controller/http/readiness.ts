import { randomBytes } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { DataFolder } from "#core/data-folder";
import { messageOf } from "#core/errors";
import type { Forge } from "../forge/forge.ts";

const checkTimeoutMs = 3_000;
const rememberMs = 1_000; // many probes are one look
const probeContent = "x".repeat(4096); // one block
const forgeRememberMs = 10_000; // the forge is asked at most this often

export interface Readiness {
  ready: boolean;
  checks: Record<string, { ok: boolean; reason?: string }>;
}

export type Check = () => Promise<unknown>;

/** Asks all checks side by side; one that does not answer in time has failed. */
export function readiness(checks: Record<string, Check>): () => Promise<Readiness> {
  return remember(rememberMs, async () => {
    const results = await Promise.all(
      Object.entries(checks).map(async ([name, check]) => [name, await outcomeOf(check)] as const),
    );
    return { ready: results.every(([, { ok }]) => ok), checks: Object.fromEntries(results) };
  });
}

/** Writes a small file and takes it away. It has content: an empty one fits on many a full disk. */
export function dataFolderWritable(data: DataFolder): Check {
  return async () => {
    const path = join(data.root, `.probe-${randomBytes(4).toString("hex")}`);
    await mkdir(data.root, { recursive: true });
    await writeFile(path, probeContent).finally(() => rm(path, { force: true }));
  };
}

/** Asks the forge for the platform project; any answer will do. */
export function forgeReachable(forge: Pick<Forge, "project">, group: string): Check {
  return remember(forgeRememberMs, async () => await forge.project(`${group}/platform`));
}

async function outcomeOf(check: Check): Promise<{ ok: boolean; reason?: string }> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new Error(`no answer within ${checkTimeoutMs / 1000} s`)),
      checkTimeoutMs,
    );
  });
  try {
    await Promise.race([check(), late]);
    return { ok: true };
  } catch (error) {
    return { ok: false, reason: messageOf(error) };
  } finally {
    clearTimeout(timer);
  }
}

/** The same answer for a while; a failure is forgotten at once. */
function remember<T>(forMs: number, ask: () => Promise<T>): () => Promise<T> {
  let last: { answer: Promise<T>; untilMs: number } | undefined;
  return async () => {
    if (last && last.untilMs > performance.now()) return await last.answer;
    const asked = { answer: ask(), untilMs: performance.now() + forMs };
    last = asked;
    try {
      return await asked.answer;
    } catch (error) {
      if (last === asked) last = undefined;
      throw error;
    }
  };
}
