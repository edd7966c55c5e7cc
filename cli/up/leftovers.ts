import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { readJson, writeJsonAtomic } from "#core/atomic-file";
import { identifyProcess, toProcessIdentity } from "#core/process-identity";
import { endProcess } from "#embedded/processes/end-process";

const graceMs = 10_000;

/** Writes down which process a child is, so that a start after a crash of ours can find it; `undefined` forgets it. */
export async function rememberChild(folder: string, name: string, pid: number | undefined): Promise<void> {
  const path = join(folder, "processes", `${name}.json`);
  const identity = pid === undefined ? undefined : identifyProcess(pid);
  if (identity === undefined) await rm(path, { force: true });
  else await writeJsonAtomic(path, identity);
}

/** Ends what a former `up` on this folder, ended by force, left running. Their names. Call it with the lock held. */
export async function endLeftovers(folder: string): Promise<string[]> {
  const at = join(folder, "processes");
  const names = (await readdir(at).catch(() => [])).filter((name) => name.endsWith(".json"));
  const ended = await Promise.all(
    names.map(async (name) => {
      const identity = toProcessIdentity(await readJson(join(at, name)).catch(() => undefined));
      const wasAlive = identity !== undefined && (await endProcess(identity, graceMs));
      await rm(join(at, name), { force: true });
      return wasAlive ? [name.replace(/\.json$/, "")] : [];
    }),
  );
  return ended.flat();
}
