import { join } from "node:path";
import { freePort } from "#embedded/processes/free-port";
import { BenchPlatform, readOnce, until } from "./platform/bench-platform.ts";
import { startBenchProcess } from "./platform/bench-process.ts";
import { type SentAtRate, sendAtRate } from "./platform/send-at-rate.ts";
import { signedPush } from "./platform/signed-delivery.ts";
import { percentile } from "./report/measure.ts";
import { residentMiB } from "./report/process-figures.ts";
import { numberArgument, progress, report } from "./report/report.ts";

// Webhook to 202: ack [seconds] [per second] [projects]. The controller is the real one and does the work behind the
// deliveries meanwhile (it fetches and finds nothing new); the reference only appends and flushes.

const maxP99Ms = 25;
const seconds = numberArgument(0, 20);
const perSecond = numberArgument(1, 500);
const projectCount = numberArgument(2, 20);

const names = Array.from({ length: projectCount }, (_, n) => `user${n + 1}`);
const platform = await BenchPlatform.prepare(names, () => [{ "README.md": "read me\n" }]);
try {
  const { dataFolder, secrets } = platform.settings;
  const pushes = platform.projects.map(({ id, path, head }) => ({
    ...{ projectId: id, path, before: "a".repeat(40), after: head },
  }));
  const deliveryTo = (url: (projectId: number) => string) => (n: number) => {
    const push = pushes[n % pushes.length];
    if (push === undefined) throw new Error("there is no project");
    return { url: url(push.projectId), delivery: signedPush(secrets.webhookSecret, push) };
  };

  const port = await freePort();
  const script = "bench/platform/bare-journal-server.js";
  const args = [String(port), join(dataFolder, "bare-journal")];
  const bare = await startBenchProcess(dataFolder, "bare", { script, args, env: {} });
  const bareUrl = `http://127.0.0.1:${port}/`;
  await until(
    "the bare server listens",
    async () => (await fetch(bareUrl, { method: "POST" })).status === 202,
  );
  const reference = await sendAtRate(
    { perSecond, seconds },
    deliveryTo(() => bareUrl),
  );
  tell("bare server", reference);
  await bare.stop();

  const controller = await platform.startController();
  await readOnce(platform);
  const ours = await sendAtRate(
    { perSecond, seconds },
    deliveryTo((projectId) => `${platform.apiUrl}/webhooks/gitlab?project=${projectId}`),
  );
  tell("controller", ours);
  const p99 = percentile(ours.spentMs, 0.99);
  report({
    name: `ack: webhook to 202, ${perSecond} a second for ${seconds} s, ${projectCount} projects`,
    ...{ value: p99, unit: "ms", p50: percentile(ours.spentMs, 0.5), p99 },
    reference: percentile(reference.spentMs, 0.99),
    aim: `p99 at most ${maxP99Ms} ms, all accepted`,
    met: p99 <= maxP99Ms && ours.refused === 0,
    more: {
      refused: ours.refused,
      maxMs: ours.spentMs.at(-1) ?? Number.NaN,
      referenceP50Ms: percentile(reference.spentMs, 0.5),
      controllerPeakMiB: (await residentMiB(controller.pid)).peak,
    },
  });
} finally {
  await platform.close();
}

function tell(what: string, { spentMs, refused, worstDelayMs }: SentAtRate): void {
  const [p50, p99] = [percentile(spentMs, 0.5), percentile(spentMs, 0.99)].map((ms) => ms.toFixed(1));
  progress(
    `${what}: p50 ${p50} ms, p99 ${p99} ms, ${refused} refused, sender ${worstDelayMs.toFixed(0)} ms late`,
  );
}
