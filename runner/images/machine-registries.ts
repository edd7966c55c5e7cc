import { machineApt } from "./machine-apt.ts";
import { readMachinePip } from "./machine-pip.ts";
import { pythonIndex } from "./python-index.ts";
import type { MachineRegistries } from "./registry-relay.ts";
import { machineUpstream } from "./upstream-request.ts";

/** The machine's own settings of apt and pip, read anew: somebody may have changed them since the last build. */
export async function readMachineRegistries(environment: NodeJS.ProcessEnv): Promise<MachineRegistries> {
  const apt = machineApt(environment);
  const pip = await readMachinePip(environment);
  const upstream = machineUpstream(pip, environment);
  const hasApt = await apt.hasSources();
  const hasIndex = pip.indexUrl !== undefined || pip.noIndex;
  return { apt, python: pythonIndex(pip, upstream), upstream, mayPassThrough: !hasApt || !hasIndex };
}
