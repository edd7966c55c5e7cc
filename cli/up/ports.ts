import { join } from "node:path";
import { readJson, writeJsonAtomic } from "#core/atomic-file";
import { ActionNeededError } from "#core/errors";
import { freePort, isPortFree } from "#embedded/processes/free-port";

const defaults = { http: 8080, forge: 8929 } as const;

export interface Ports {
  http: number;
  forge: number;
  /** The runner's metrics. */
  metrics: number;
}

/**
 * Ports of 127.0.0.1 for this data folder, remembered from start to start, so that clones keep their remote. One that was
 * asked for and is taken is `ActionNeededError("PORT_TAKEN")`; another one that is taken is replaced.
 */
export async function choosePorts(
  folder: string,
  asked: { port: number | undefined; forgePort: number | undefined },
): Promise<{ ports: Ports; replaced: string[] }> {
  const path = join(folder, "ports.json");
  const stored = await readJson(path).catch(() => undefined);
  const before = typeof stored === "object" && stored !== null ? (stored as Record<string, unknown>) : {};
  const remembered = (name: string) => (typeof before[name] === "number" ? before[name] : undefined);
  const replaced: string[] = [];
  const taken = new Set<number>();
  const choose = async (preferred: number | undefined): Promise<number> => {
    for (;;) {
      const port = await freePort(preferred !== undefined && taken.has(preferred) ? undefined : preferred);
      if (taken.has(port)) continue;
      taken.add(port);
      if (preferred !== undefined && port !== preferred) {
        replaced.push(`port ${preferred} is taken, ${port} is used instead`);
      }
      return port;
    }
  };
  const http =
    (await exactly(asked.port, "DTAAS_PORT", taken)) ?? (await choose(remembered("http") ?? defaults.http));
  const forge =
    (await exactly(asked.forgePort, "DTAAS_FORGE_PORT", taken)) ??
    (await choose(remembered("forge") ?? defaults.forge));
  const ports: Ports = { http, forge, metrics: await choose(undefined) };
  await writeJsonAtomic(path, { http, forge });
  return { ports, replaced };
}

async function exactly(
  port: number | undefined,
  name: string,
  taken: Set<number>,
): Promise<number | undefined> {
  if (port === undefined) return undefined;
  if (taken.has(port) || !(await isPortFree(port))) {
    throw new ActionNeededError("PORT_TAKEN", `${name} is ${port}, and somebody listens there already`, {
      hint: `see who: ss -ltnp 'sport = :${port}'; or leave ${name} out`,
    });
  }
  taken.add(port);
  return port;
}
