import type { Clone } from "./clone.ts";
import type { Platform } from "./platform.ts";
import { until } from "./platform.ts";

/** A twin that stays up; `more` are further lines of its spec. */
export function runningSpec(name: string, more = ""): string {
  return `apiVersion: dtaas/v1
kind: DigitalTwin
metadata: { name: ${name}, title: Story twin }
spec:
  state: running
  workspace: { template: base }
  lifecycle:
    execute: { run: lifecycle/execute }
${more}`;
}

/** Writes a twin that stays up; `says` makes its source another one. */
export async function writeTwin(clone: Clone, name: string, options: { says?: string; more?: string } = {}) {
  await clone.write(`digital_twins/${name}/dt.yaml`, runningSpec(name, options.more));
  const script = `#!/bin/sh\necho ${options.says ?? "up"}\nexec sleep 1000000\n`;
  await clone.write(`digital_twins/${name}/lifecycle/execute`, script, 0o755);
}

/** A push of somebody who does nothing wrong, followed until its revision is live. */
export async function goesLive(
  platform: Platform,
  clone: Clone,
  user: string,
  says: string,
): Promise<string> {
  await writeTwin(clone, "good", { says });
  const commit = await clone.push(`feat: ${says}`);
  await until(`${user} is live with "${says}"`, async () => {
    const twin = await platform.twin(user, "good");
    return (twin?.phase === "live" && twin.revision === commit) || JSON.stringify(twin);
  });
  return commit;
}
