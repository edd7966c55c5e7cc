import { readlinkSync } from "node:fs";
import { Agent } from "node:http";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { dataFolder } from "#core/data-folder";
import { BenchPlatform, readOnce, until } from "./platform/bench-platform.ts";
import { advance } from "./platform/prepared-forge.ts";
import { post, signedPush } from "./platform/signed-delivery.ts";
import type { Files } from "./platform/write-commits.ts";
import { percentile } from "./report/measure.ts";
import { numberArgument, progress, report } from "./report/report.ts";

// From a push to a shared repository until each user's view shows it: shared-push [users] [rounds]. Controller, runner, Redis
// and forge are real, the container engine is pretended. The reference is the push alone, until it is acknowledged.

const maxP99Ms = 2_000;
const deadlineMs = 60_000;
const assets = 50;
const lookEveryMs = 5;
const count = numberArgument(0, 100);
const rounds = numberArgument(1, 10);

const revision = (n: number): Files =>
  Object.fromEntries(
    Array.from({ length: assets }, (_, asset) => [
      `models/m${asset}/model.py`,
      `${asset % 5 === 0 ? n : 0}\n`,
    ]),
  );
const names = Array.from({ length: count }, (_, n) => `user${n + 1}`);
const commits: [Files, ...Files[]] = [
  revision(0),
  ...Array.from({ length: rounds }, (_, n) => revision(n + 1)),
];
const platform = await BenchPlatform.prepare(names, (name) => [{ "README.md": `# ${name}\n` }], commits);
try {
  await platform.startController();
  await platform.startFakeRunner();
  await readOnce(platform);
  const { views } = dataFolder(platform.settings.dataFolder);
  const shows = (user: string, commit: string): boolean => {
    try {
      return readlinkSync(join(views, user, "current", ".r", "0")).includes(commit);
    } catch {
      return false;
    }
  };
  const { common } = platform;
  await until("everybody sees the first commit", async () => names.every((user) => shows(user, common.head)));

  const agent = new Agent({ keepAlive: true });
  const spent: number[] = [];
  const acknowledged: number[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    const before = common.head;
    const after = await advance(common);
    const { id, path } = common;
    const delivery = signedPush(platform.settings.secrets.webhookSecret, {
      projectId: id,
      path,
      before,
      after,
    });
    const start = performance.now();
    const status = await post(`${platform.apiUrl}/webhooks/gitlab?project=${id}`, agent, delivery);
    if (status !== 202) throw new Error(`the delivery was answered with ${status}`);
    acknowledged.push(performance.now() - start);
    const waiting = new Set(names);
    while (waiting.size > 0) {
      for (const user of waiting) {
        if (!shows(user, after)) continue;
        spent.push(performance.now() - start);
        waiting.delete(user);
      }
      if (performance.now() - start > deadlineMs)
        throw new Error(`${waiting.size} users do not see the push`);
      await sleep(lookEveryMs);
    }
    progress(`${round}: everybody after ${spent.at(-1)?.toFixed(0)} ms`);
  }
  agent.destroy();
  for (const list of [spent, acknowledged]) list.sort((a, b) => a - b);
  const p99 = percentile(spent, 0.99);
  report({
    name: `shared-push: push to a shared repository until seen by ${count} users, ${rounds} times`,
    ...{ value: p99, unit: "ms", p50: percentile(spent, 0.5), p99, reference: percentile(acknowledged, 0.5) },
    aim: `p99 at most ${maxP99Ms} ms for 100 users`,
    met: p99 <= maxP99Ms,
    more: {},
  });
} finally {
  await platform.close();
}
