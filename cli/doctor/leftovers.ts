import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { readJson } from "#core/atomic-file";
import { isAlive, toProcessIdentity } from "#core/process-identity";
import type { Finding } from "#embedded/machine/finding";
import { folderHolder } from "../up/folder-lock.ts";

/** What runs on a data folder. */
export interface RunningHere {
  /** The `dtaas up` that holds the folder. */
  holder: number | undefined;
  /** Processes that an `up` has started and that live, by name. */
  children: string[];
  /** Containers of this installation, of which some run. */
  containers: number;
}

export async function readRunning(
  dataFolder: string,
  countContainers: (installation: string) => Promise<number>,
): Promise<RunningHere> {
  const folder = join(dataFolder, "processes");
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith(".json"));
  const alive = await Promise.all(
    names.map(async (name) => {
      const identity = toProcessIdentity(await readJson(join(folder, name)).catch(() => undefined));
      return identity !== undefined && isAlive(identity) ? [name.replace(/\.json$/, "")] : [];
    }),
  );
  const secrets = await readJson(join(dataFolder, "secrets.json")).catch(() => undefined);
  const { installation } = (secrets ?? {}) as { installation?: unknown };
  const isInstalled = typeof installation === "string";
  return {
    holder: (await folderHolder(dataFolder))?.pid,
    children: alive.flat().sort(),
    containers: isInstalled ? await countContainers(installation).catch(() => 0) : 0,
  };
}

/** Whether it is up is news, not a fault; what a killed start left behind is taken up or ended by the next one. Pure. */
export function judgeRunning({ holder, children, containers }: RunningHere): Finding[] {
  const name = "platform";
  if (holder !== undefined) return [{ name, state: "ok", detail: `up, process ${holder}` }];
  const down: Finding = { name, state: "ok", detail: "not up: npm start" };
  const left = [...children, ...(containers > 0 ? [`${containers} containers`] : [])];
  if (left.length === 0) return [down];
  return [
    down,
    {
      name: "leftovers",
      state: "doubtful",
      detail: `a start that was ended by force left ${left.join(", ")} running`,
      means: "they go on without anybody who looks after them",
      command: "npm start, which ends or takes them up; or npx dtaas doctor --fix, which ends its processes",
    },
  ];
}
