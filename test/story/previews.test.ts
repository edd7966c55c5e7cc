import { access, cp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type DataFolder, dataFolder, snapshotPath } from "#core/data-folder";
import { packageRoot } from "#core/package-root";
import type { PreviewsView, PreviewView } from "#schemas/preview-view";
import type { Clone } from "./clone.ts";
import { Platform, until } from "./platform.ts";

const twinFile = "digital_twins/mass-spring-damper/multimodel.json";
const fastResync = { DTAAS_RESYNC_SECONDS: "3" }; // so that nobody waits long for what is collected
const buildMs = 170_000; // the first image of the platform is built on the way

describe("a merge request that changes a spring of the mass-spring-damper", () => {
  let platform: Platform;
  let clone: Clone;
  let data: DataFolder;
  let projectId = 0;
  let iid = 0;

  const forge = async (method: string, path: string, body?: object): Promise<unknown> => {
    const response = await fetch(`${platform.forgeUrl}/api/v4/projects/${projectId}${path}`, {
      method,
      headers: { "private-token": platform.token("user1"), "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return await response.json();
  };

  /** Changes the multimodel on the branch of the merge request. */
  const push = async (from: string, to: string): Promise<void> => {
    await clone.git("checkout", "-q", "-B", "springs", "origin/main");
    const text = await clone.read(twinFile);
    expect(text).toContain(from);
    await clone.write(twinFile, text.replace(from, to));
    await clone.git("commit", "-q", "-a", "-m", `feat: ${to}`);
    await clone.git("push", "-q", "--force", "origin", "springs");
  };

  const previews = async (): Promise<PreviewsView | undefined> => {
    const { status, body } = await platform.api(`/users/user1/previews/${iid}`);
    return status === 200 ? (body as PreviewsView) : undefined;
  };

  /** The preview, once it is in this phase and not any more the one of `before`. */
  const reaches = async (phase: string, before?: string): Promise<PreviewView> => {
    let seen: PreviewView | undefined;
    await until(`the preview is ${phase}`, async () => {
      [seen] = (await previews())?.twins ?? [];
      return (seen?.phase === phase && seen.commit !== before) || JSON.stringify(seen);
    });
    if (!seen) throw new Error("there is no preview");
    return seen;
  };

  const comments = async (): Promise<string[]> => {
    const notes = (await forge("GET", `/merge_requests/${iid}/notes`)) as { body: string }[];
    return notes.map(({ body }) => body).filter((body) => body.includes("#### Previews"));
  };

  const leftOf = async (...kind: string[]) => {
    const filter = `label=dtaas.installation=${platform.settings.secrets.installation}`;
    const format = kind[0] === "ps" ? "{{.Names}}" : "{{.Name}}";
    const { stdout } = await platform.docker(...kind, "--filter", filter, "--format", format);
    return stdout.split("\n").filter((name) => name.includes("preview"));
  };

  beforeAll(async () => {
    platform = await Platform.start({ users: ["user1"] });
    await platform.controller?.stop();
    await platform.startController(fastResync);
    data = dataFolder(platform.settings.dataFolder);
    clone = await platform.clone("user1");
    for (const path of ["digital_twins/mass-spring-damper", "README.md"]) {
      await cp(join(packageRoot, "examples/user1", path), join(clone.folder, path), { recursive: true });
    }
    await clone.push("feat: the example");
    await until(
      "the live twin has simulated",
      async () => {
        const twin = await platform.twin("user1", "mass-spring-damper");
        return twin?.phase === "completed" || JSON.stringify(twin);
      },
      buildMs,
    );
    await clone.git("fetch", "-q", "origin");
    const headers = { "private-token": platform.token("user1") };
    const path = `${platform.forgeUrl}/api/v4/projects/${encodeURIComponent("dtaas/user1")}`;
    projectId = ((await (await fetch(path, { headers })).json()) as { id: number }).id;
  });
  afterAll(async () => {
    await platform?.close();
    if (clone) await rm(clone.folder, { recursive: true, force: true });
  });

  test("its numbers stand beside those of the live twin, which goes on as it was", async () => {
    const live = await platform.twin("user1", "mass-spring-damper");
    await push('"c1": 25.0', '"c1": 30.0');
    const made = (await forge("POST", "/merge_requests", {
      ...{ source_branch: "springs", target_branch: "main", title: "A stiffer spring" },
    })) as { iid: number };
    iid = made.iid;
    const preview = await reaches("done");
    expect(preview.runs).toMatchObject([{ operation: "execute", exitCode: 0 }]);
    expect(preview.comparisons).toMatchObject([
      { column: "left.x1", verdict: "fail", rows: 1001, tolerance: 0.05 },
      { column: "right.x2", verdict: "fail", rows: 1001 },
    ]);
    for (const { live: before, preview: after, maxDifference, atRow } of preview.comparisons) {
      expect([before.length, after.length]).toEqual([60, 60]);
      expect(before).not.toEqual(after);
      expect(maxDifference).toBeGreaterThan(0.2); // m: five more newtons per metre put the masses out of step
      expect(maxDifference).toBeLessThan(2.1); // neither swings further than it was pulled
      expect(atRow).toBeGreaterThan(1);
    }
    expect(preview.comparisons[0]?.live[0]).toBe(1); // pulled by a metre, in both
    expect(preview.comparisons[0]?.preview[0]).toBe(1);
    expect(await platform.twin("user1", "mass-spring-damper")).toEqual(live);
    const history = (await platform.api("/twins/user1/mass-spring-damper/runs")).body as { items: unknown[] };
    expect(history.items).toHaveLength(1); // nothing of the preview is in it

    await until("the comment shows the numbers", async () => {
      const [comment = ""] = await comments();
      return (comment.includes("left.x1") && comment.includes("**fail**")) || comment;
    });
    const shown = await platform.cli("preview", "show", String(iid), "--user", "user1");
    expect(shown.stdout).toMatch(/left\.x1 +fail +1001/);
    const logs = await platform.cli("preview", "logs", String(iid), "--user", "user1");
    expect(logs.stdout).toContain("gauss-seidel, 10 s in steps of 0.001 s");
  });

  test("a push that changes no number passes, in place of the one before, in the same comment", async () => {
    const before = (await previews())?.twins[0]?.commit;
    await push('"stop": 10.0', '"stop": 10.00');
    const preview = await reaches("done", before);
    expect(preview.comparisons).toMatchObject([
      { verdict: "pass", maxDifference: 0 },
      { verdict: "pass", maxDifference: 0 },
    ]);
    await until("the comment is edited", async () => {
      const all = await comments();
      return (all.length === 1 && !all[0]?.includes("**fail**")) || all.join("\n---\n");
    });
  });

  test("one that cannot run says why, and is neither lost nor repeated when both processes die in the middle", async () => {
    const before = (await previews())?.twins[0]?.commit;
    await push('"c1"', '"c9"');
    await until("it is wanted", async () => (await previews())?.twins[0]?.commit !== before);
    await Promise.all([platform.runner?.kill(), platform.controller?.kill()]);
    await platform.startController(fastResync);
    await platform.startRunner();
    const preview = await reaches("failed", before);
    expect(preview.reason).toBe("execute ended with exit code 1");
    expect(preview.runs).toMatchObject([{ operation: "execute", exitCode: 1 }]);
    expect(preview.comparisons[0]).toMatchObject({
      verdict: "cannot-compare",
      reason: expect.stringContaining("execute of the preview has not ended well"),
    });
    const logs = await platform.cli("preview", "logs", String(iid), "--user", "user1");
    expect(logs.stdout).toContain("no parameter c9");
  });

  test("closed in mid-run, nothing of it is left: no container, network, layer, file or snapshot", async () => {
    const before = (await previews())?.twins[0]?.commit;
    await push('"stop": 10.0', '"stop": 10000.0'); // would take long
    const { commit } = await reaches("running", before);
    await until("it runs in the engine", async () => {
      const names = await leftOf("ps", "-a");
      return names.length === 1 || names.join();
    });
    expect(await leftOf("network", "ls")).toHaveLength(1);
    await forge("PUT", `/merge_requests/${iid}`, { state_event: "close" });
    await until("nothing is left in the engine", async () => {
      const left = [await leftOf("ps", "-a"), await leftOf("network", "ls"), await leftOf("volume", "ls")];
      return left.flat().length === 0 || JSON.stringify(left);
    });
    await until("its records are gone", async () => {
      const names = await readdir(join(data.previewed, "user1")).catch(() => []);
      return names.length === 0 || names.join();
    });
    expect(await previews()).toBeUndefined();
    expect((await readdir(data.layers)).filter((name) => name.includes("preview"))).toEqual([]);
    await until("its snapshot is gone", async () => {
      const path = snapshotPath(data, "dtaas/user1", commit);
      return await access(path).then(
        () => "still there",
        () => true,
      );
    });
    expect((await platform.twin("user1", "mass-spring-damper"))?.phase).toBe("completed");
  });
});
