import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { Platform, until } from "#test/story/platform";
import { processorSeconds, proportionalMiB, residentMiB } from "./report/process-figures.ts";
import { numberArgument, progress, report } from "./report/report.ts";

// What the platform costs while nothing happens: idle [twins] [seconds]. The twins are live in real containers; what
// the containers and the engine use is not counted. The reference is a Node.js process that does nothing.

const maxMiB = 300;
const maxProcessorPercent = 2;
const twinsPerPush = 12;
const twinsPerUser = 12; // several users, each with a network of their own
const settleSeconds = 15;
const twins = numberArgument(0, 100);
const seconds = numberArgument(1, 65); // a full check of everybody, once a minute, falls into it

const users = Array.from({ length: Math.ceil(twins / twinsPerUser) }, (_, n) => `user${n + 1}`);
const platform = await Platform.start({ users });
const nothing = spawn(process.execPath, ["-e", "setInterval(() => {}, 1e9)"], { stdio: "ignore" });
try {
  await pushTwins();
  progress(`all live; waiting ${settleSeconds} s, then looking for ${seconds} s`);
  await sleep(settleSeconds * 1_000);
  const forge = platform.forgePid;
  const { controller, runner, redis } = platform;
  if (!controller || !runner || nothing.pid === undefined) throw new Error("a process is missing");
  const pids = { forge, controller: controller.pid, runner: runner.pid, redis: redis.pid };
  const before = await processorOf(pids);
  await sleep(seconds * 1_000);
  const after = await processorOf(pids);

  const more: Record<string, number> = {};
  let value = 0;
  let residentSum = 0;
  let processorPercent = 0;
  for (const [name, pid] of Object.entries(pids)) {
    const percent = (100 * ((after[name] ?? 0) - (before[name] ?? 0))) / seconds;
    const [shared, resident] = [await proportionalMiB(pid), (await residentMiB(pid)).now];
    value += shared;
    residentSum += resident;
    processorPercent += percent;
    more[`${name}MiB`] = shared;
    more[`${name}ProcessorPercent`] = percent;
  }
  report({
    name: `idle: ${twins} live twins, nothing happening for ${seconds} s`,
    ...{ value, unit: "MiB", reference: await proportionalMiB(nothing.pid) },
    aim: `at most ${maxMiB} MiB in all and ${maxProcessorPercent} % of a core`,
    met: value <= maxMiB && processorPercent <= maxProcessorPercent,
    more: { processorPercent, residentMiB: residentSum, ...more },
  });
} finally {
  nothing.kill();
  await platform.close();
}

async function pushTwins(): Promise<void> {
  for (const [index, user] of users.entries()) {
    const clone = await platform.clone(user);
    const end = Math.min(twinsPerUser, twins - index * twinsPerUser);
    for (let n = 1; n <= end; n += 1) {
      const folder = `digital_twins/twin-${n}`;
      await clone.write(
        `${folder}/dt.yaml`,
        `apiVersion: dtaas/v1
kind: DigitalTwin
metadata: { name: twin-${n} }
spec:
  state: running
  workspace: { template: base }
  lifecycle: { execute: { run: lifecycle/execute } }
`,
      );
      await clone.write(`${folder}/lifecycle/execute`, "#!/bin/sh\necho up\nexec sleep infinity\n", 0o755);
      if (n % twinsPerPush !== 0 && n !== end) continue;
      await clone.push(`feat: twins up to ${n}`);
      const wanted = index * twinsPerUser + n;
      await until(`${wanted} twins are live`, () => areLive(wanted), 5 * 60_000);
      progress(`${wanted} live`);
    }
  }
}

async function areLive(wanted: number): Promise<true | number> {
  const live = (await platform.twins()).filter(({ phase }) => phase === "live").length;
  return live >= wanted || live;
}

async function processorOf(pids: Record<string, number>): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const [name, pid] of Object.entries(pids)) found[name] = await processorSeconds(pid);
  return found;
}
