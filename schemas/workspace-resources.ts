import { parseSize } from "./size.ts";
import type { WorkspaceResources } from "./workspace-state.ts";

/** Resources as written, in bytes; what is not written stays absent. */
export function workspaceResources(
  written: { cpus?: number; memory?: string; shm?: string; pids?: number; disk?: string } | undefined,
): Partial<WorkspaceResources> {
  const { cpus, memory, shm, pids, disk } = written ?? {};
  const memoryBytes = memory === undefined ? undefined : parseSize(memory);
  const shmBytes = shm === undefined ? undefined : parseSize(shm);
  const diskBytes = disk === undefined ? undefined : parseSize(disk);
  return {
    ...(cpus === undefined ? {} : { cpus }),
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    ...(shmBytes === undefined ? {} : { shmBytes }),
    ...(pids === undefined ? {} : { pids }),
    ...(diskBytes === undefined ? {} : { diskBytes }),
  };
}
