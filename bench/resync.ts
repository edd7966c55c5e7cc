import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import pLimit from "p-limit";
import { Mirrors } from "#controller/assets/mirrors";
import { GitLabForge } from "#controller/forge/gitlab/gitlab-forge";
import { projectSecret } from "#controller/intake/project-secret";
import { resync } from "#controller/reconcile/resync";
import { Tracked } from "#controller/reconcile/tracked";
import { dataFolder } from "#core/data-folder";
import { createLogger } from "#core/logger";
import { BenchPlatform } from "./platform/bench-platform.ts";
import { measure, percentile } from "./report/measure.ts";
import { processorSeconds } from "./report/process-figures.ts";
import { numberArgument, progress, report } from "./report/report.ts";

// A look at every project of the host that finds nothing new: resync [projects] [rounds]. The forge is a process of its
// own; the reference makes the same calls with fetch alone and throws the answers away.

const maxSeconds = 2;
const callsAtOnce = 4; // as many as resync asks at a time
const pageSize = 100;
const headsPerCall = 50;
const headsQuery =
  "query($ids: [ID!]) { projects(ids: $ids) { nodes { id repository { empty tree { lastCommit { sha } } } } } }";
const count = numberArgument(0, 1_000);
const rounds = numberArgument(1, 5);

const names = Array.from({ length: count }, (_, n) => `user${n + 1}`);
const platform = await BenchPlatform.prepare(names, (name) => [{ "README.md": `# ${name}\n` }]);
try {
  const data = dataFolder(platform.settings.dataFolder);
  const mirrors = new Mirrors({ folder: data.git, git: {} });
  for (const { id, head } of platform.projects) {
    const heads = join(mirrors.path(id), "refs", "heads");
    await mkdir(heads, { recursive: true });
    await writeFile(join(heads, "main"), `${head}\n`);
  }
  const { forgeRootToken: token, webhookSecret } = platform.settings.secrets;
  const nudged: string[] = [];
  const heads = new Map(platform.projects.map(({ name, head }) => [name, { revision: head }]));
  const deps = {
    desired: { get: (user: string) => heads.get(user) },
    forge: new GitLabForge({ url: platform.forgeUrl, token }),
    mirrors,
    tracked: await Tracked.open("dtaas", data, () => {}),
    logger: createLogger("resync", "silent"),
    hooked: new Set<string>(),
    hookFor: ({ id }: { id: number }) => ({
      url: `${platform.apiUrl}/${id}`,
      ...projectSecret(webhookSecret, id),
    }),
    secretsAreBehind: async () => false, // no twin here declares any: nothing more is asked of the host
    nudgeProject: (path: string) => void nudged.push(path),
  };
  progress("first look: every project is new");
  const first = await measure(1, () => resync(deps, { hooks: false }));
  progress(`${percentile(first, 0.5).toFixed(0)} ms with ${count} webhooks made`);

  const { length: nudgedBefore } = nudged;
  const calls = countCalls();
  const processorBefore = await processorMs();
  const spent = await measure(rounds, () => resync(deps, { hooks: false }));
  const processor = (await processorMs()).map((ms, n) => (ms - (processorBefore[n] ?? 0)) / rounds);
  const forgeCalls = calls.end() / rounds;
  // dtaas/common has no mirror here and is the one that differs.
  const wrongly = nudged.slice(nudgedBefore).filter((path) => path !== "dtaas/common");
  if (wrongly.length > 0)
    throw new Error(`${wrongly.length} unchanged projects were nudged, ${wrongly[0]} for one`);

  progress("the same calls with fetch alone");
  const raw = await measure(rounds, () => askRaw(token));
  const value = percentile(spent, 0.5) / 1_000;
  report({
    name: `resync: ${count} unchanged projects`,
    ...{ value, unit: "s", p50: value, p99: percentile(spent, 0.99) / 1_000 },
    reference: percentile(raw, 0.5) / 1_000,
    aim: `at most ${maxSeconds} s for 1,000`,
    met: value <= (maxSeconds * count) / 1_000,
    more: { forgeCalls, forgeProcessorMs: processor[0] ?? 0, ourProcessorMs: processor[1] ?? 0 },
  });
} finally {
  await platform.close();
}

/** Of the forge and of this process, since each began. */
async function processorMs(): Promise<number[]> {
  const { user, system } = process.cpuUsage();
  return [(await processorSeconds(platform.forge.pid)) * 1_000, (user + system) / 1_000];
}

async function askRaw(token: string): Promise<void> {
  const api = `${platform.forgeUrl}/api/v4`;
  const headers = { "private-token": token, "content-type": "application/json" };
  for (let page = 1; page <= Math.ceil((count + 1) / pageSize); page += 1) {
    const query = `archived=false&simple=true&with_shared=false&order_by=id&sort=asc&per_page=${pageSize}&page=${page}`;
    await (await fetch(`${api}/groups/dtaas/projects?${query}`, { headers })).text();
  }
  const limit = pLimit(callsAtOnce);
  const ids = platform.projects.map(({ id }) => `gid://gitlab/Project/${id}`);
  const chunks = Array.from({ length: Math.ceil(ids.length / headsPerCall) }, (_, n) =>
    ids.slice(n * headsPerCall, (n + 1) * headsPerCall),
  );
  await Promise.all(
    chunks.map((some) =>
      limit(async () => {
        const body = JSON.stringify({ query: headsQuery, variables: { ids: some } });
        const answer = await fetch(`${platform.forgeUrl}/api/graphql`, { method: "POST", headers, body });
        await answer.text();
      }),
    ),
  );
}

/** Counts the HTTP calls that this process makes from now on. */
function countCalls(): { end(): number } {
  const before = globalThis.fetch;
  let made = 0;
  globalThis.fetch = (...call: Parameters<typeof fetch>) => {
    made += 1;
    return before(...call);
  };
  return {
    end: () => {
      globalThis.fetch = before;
      return made;
    },
  };
}
