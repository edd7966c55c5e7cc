import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import type { WorkspaceView } from "#schemas/workspace-view";
import { Platform } from "#test/story/platform";
import { percentile } from "./report/measure.ts";
import { numberArgument, progress, report } from "./report/report.ts";

// From the request to a workspace whose tools answer: workspace-ready [rounds]. Its image is there already, and so is its
// work tree but for what came upstream. The reference is `docker run` of the same image and command, asked the same question.
// Both are done in turns, so that the machine's moods hit both alike.

const maxP50Ms = 1_500;
const deadlineMs = 300_000; // the first one builds the image
const lookMs = 10;
const rounds = numberArgument(0, 20);
const run = promisify(execFile);

const platform = await Platform.start({ users: ["user1"] });
const network = `dtaas-bench-${platform.settings.secrets.installation}`;
const folder = await mkdtemp(join(tmpdir(), "dtaas-bench-workspace-"));
try {
  const clone = await platform.clone("user1");
  await clone.write("workspace.yaml", "apiVersion: dtaas/v1\nkind: Workspace\nspec: { template: base }\n");
  await clone.push("feat: a workspace");
  await rm(clone.folder, { recursive: true, force: true });
  progress("building the image");
  progress(`first start: ${(await startOurs()).toFixed(0)} ms`);
  const bareCommand = await commandOf();
  await run("docker", ["network", "create", network]);
  await stopOurs();

  const ready: number[] = [];
  const bare: number[] = [];
  for (let round = 1; round <= rounds; round += 1) {
    bare.push(await startTheirs(bareCommand, round));
    ready.push(await startOurs());
    await stopOurs();
    progress(`${round}: ${ready.at(-1)?.toFixed(0)} ms, bare ${bare.at(-1)?.toFixed(0)} ms`);
  }
  for (const list of [ready, bare]) list.sort((a, b) => a - b);
  const value = percentile(ready, 0.5);
  report({
    name: `workspace-ready: request to HTTP answer, ${rounds} times`,
    ...{ value, unit: "ms", p50: value, p99: percentile(ready, 0.99), reference: percentile(bare, 0.5) },
    aim: `p50 at most ${maxP50Ms} ms`,
    met: value <= maxP50Ms,
    more: { referenceP99Ms: percentile(bare, 0.99) },
  });
} finally {
  await run("docker", ["network", "rm", network]).catch(() => undefined); // it may not have been made
  await platform.close();
  await rm(folder, { recursive: true, force: true });
}

/** Milliseconds from the request until an answer of its tools has come through the address that `open` gives. */
async function startOurs(): Promise<number> {
  const start = performance.now();
  await platform.api("/workspaces/user1/state", { method: "PUT", as: "user1", body: { state: "running" } });
  for (;;) {
    const { state, reason } = (await platform.api("/workspaces/user1", { as: "user1" }))
      .body as WorkspaceView;
    if (state === "failed") throw new Error(reason ?? state);
    if (state === "ready") break;
    if (performance.now() - start > deadlineMs) throw new Error("the workspace is not ready");
    await sleep(lookMs);
  }
  const { body } = await platform.api("/workspaces/user1/open", { method: "POST", as: "user1" });
  const { url } = body as { url: string };
  const first = await fetch(url, { redirect: "manual" });
  const cookie = first.headers.get("set-cookie")?.split(";")[0] ?? "";
  const page = await fetch(new URL(first.headers.get("location") ?? "", url), { headers: { cookie } });
  if (page.status !== 200) throw new Error(`the terminal answered ${page.status}`);
  return performance.now() - start;
}

async function stopOurs(): Promise<void> {
  await platform.api("/workspaces/user1/state", { method: "PUT", as: "user1", body: { state: "stopped" } });
  for (;;) {
    const { state } = (await platform.api("/workspaces/user1", { as: "user1" })).body as WorkspaceView;
    if (state === "stopped") return;
    await sleep(lookMs);
  }
}

/** What `docker run` needs to do the same: the image, and the folder with the tools and their key. */
async function commandOf(): Promise<string[]> {
  const filter = `label=dtaas.installation=${platform.settings.secrets.installation}`;
  const filters = ["--filter", filter, "--filter", "label=dtaas.workspace=user1"];
  const id = (await run("docker", ["ps", "-q", ...filters])).stdout.trim();
  const image = (await run("docker", ["inspect", "-f", "{{.Image}}", id])).stdout.trim();
  await run("docker", ["cp", `${id}:/run/dtaas`, folder]);
  await run("chmod", ["-R", "a+rX", folder]);
  const mount = [
    "-v",
    `${join(folder, "dtaas")}:/run/dtaas:ro`,
    "--tmpfs",
    "/home/dtaas",
    "-e",
    "SHELL=/bin/bash",
  ];
  const same = ["--user", "1000:1000", "--entrypoint", "/usr/local/lib/dtaas/init"];
  return [...mount, ...same, image, "/run/dtaas/session", "terminal"];
}

/** Milliseconds of `docker run` until the same page is answered. */
async function startTheirs(command: string[], round: number): Promise<number> {
  const key = (await run("cat", [join(folder, "dtaas", "tool-key")])).stdout;
  const name = `dtaas-bench-${platform.settings.secrets.installation}-${round}`;
  const start = performance.now();
  try {
    await run("docker", ["run", "-d", "--name", name, "--network", network, ...command]);
    const format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
    const address = (await run("docker", ["inspect", "-f", format, name])).stdout.trim();
    for (;;) {
      const status = await fetch(`http://${address}:7681/terminal/`, {
        headers: { authorization: `token ${key}` },
      }).then(
        async (response) => {
          await response.body?.cancel();
          return response.status;
        },
        () => 0,
      );
      if (status === 200) return performance.now() - start;
      if (performance.now() - start > deadlineMs) throw new Error("the bare container does not answer");
      await sleep(lookMs);
    }
  } finally {
    await run("docker", ["rm", "-f", name]);
  }
}
