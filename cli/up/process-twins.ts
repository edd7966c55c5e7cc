import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { readJson } from "#core/atomic-file";
import { dataFolder as foldersOf } from "#core/data-folder";
import { RunFiles } from "#runner/engine/process/run-files";
import { type ChildSettings, runnerEnvironment } from "./child-environments.ts";
import { botName, exampleUsers } from "./seed.ts";
import { stopTwins } from "./stop-twins.ts";

/** Example users that this data folder has accounts for. */
export async function seededUsers(folder: string): Promise<string[]> {
  const stored = (await readJson(join(folder, "secrets.json"))) as { accounts?: object } | undefined;
  return Object.keys(stored?.accounts ?? {}).filter((name) => name !== botName);
}

/** A start that was ended by force may have left twins as processes; with a container engine they would run twice. */
export async function endProcessTwins(settings: ChildSettings): Promise<void> {
  const { dataFolder } = settings;
  const left = await readdir(new RunFiles(foldersOf(dataFolder).engine).runs).catch(() => []);
  if (left.length === 0) return;
  const environment = runnerEnvironment({ ...settings, processEngine: { user: exampleUsers[0] } });
  await stopTwins({ environment, dataFolder });
}
