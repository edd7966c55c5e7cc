import { constants } from "node:fs";
import { access } from "node:fs/promises";
import { join } from "node:path";

/** Where Debian keeps commands, those for root included: a login of a plain user leaves /sbin out. */
export const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Full path of a command as a shell would find it in `searchPath`, or `undefined`. */
export async function findCommand(name: string, searchPath: string): Promise<string | undefined> {
  for (const folder of searchPath.split(":").filter(Boolean)) {
    const path = join(folder, name);
    if (await isExecutable(path)) return path;
  }
  return undefined;
}

async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
