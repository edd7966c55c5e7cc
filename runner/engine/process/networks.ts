import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Networks } from "../engine.ts";

/** Names only: everything on this engine shares the network of the machine. */
export function processNetworks(
  folder: string,
  installation: string,
  inUse: (network: string) => Promise<boolean>,
): Networks {
  const nameOf = (user: string) => `dtaas-${installation}-user-${user}`;
  const fileOf = (user: string) => join(folder, encodeURIComponent(user));
  return {
    async ensure(user) {
      await mkdir(folder, { recursive: true });
      await writeFile(fileOf(user), "");
      return nameOf(user);
    },
    async remove(user) {
      if (!(await inUse(nameOf(user)))) await rm(fileOf(user), { force: true });
    },
    async list() {
      return (await readdir(folder).catch(() => [])).map(decodeURIComponent).sort();
    },
  };
}
