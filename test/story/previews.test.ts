import { access, cp, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { controllerEnvironment } from "#cli/up/child-environments";
import { Mirrors } from "#controller/assets/mirrors";
import { readControllerConfig } from "#controller/config";
import { GitLabForge } from "#controller/forge/gitlab/gitlab-forge";
import type { MergeRequestRef } from "#controller/previews/previews";
import { type RunningController, startController } from "#controller/start-controller";
import { type DataFolder, dataFolder, snapshotPath } from "#core/data-folder";
import { createLogger } from "#core/logger";
import { packageRoot } from "#core/package-root";
import { listWorkspaceTemplates } from "#templates/workspace-templates";
import type { Clone } from "./clone.ts";
import { Platform, until } from "./platform.ts";

const twinFile = "digital_twins/mass-spring-damper/multimodel.json";
const buildMs = 170_000; // the first image of the platform is built on the way

describe("a merge request that changes a spring of the mass-spring-damper", () => {
  let platform: Platform;
  let clone: Clone;
  let data: DataFolder;
  let controller: RunningController;

  /** In this process, so that the story can ask as whoever follows merge requests does. */
  const startHere = async () => {
    const config = readControllerConfig({
      ...controllerEnvironment(platform.settings),
      DTAAS_RESYNC_SECONDS: "3",
    });
    controller = await startController({
      config,
      data,
      forge: new GitLabForge(config.forge),
      logger: createLogger("controller", "silent"),
      version: "0.0.0",
      templates: (await listWorkspaceTemplates()).map(({ name }) => name),
    });
  };

  /** A branch with this change, and its commit in the mirror: what the merge result of a merge request is. */
  const mergeResult = async (branch: string, change: (multimodel: string) => string) => {
    await clone.git("checkout", "-q", "-B", branch, "origin/main");
    await clone.write(twinFile, change(await clone.read(twinFile)));
    await clone.git("commit", "-q", "-a", "-m", `feat: ${branch}`);
    await clone.git("push", "-q", "origin", branch);
    const config = readControllerConfig(controllerEnvironment(platform.settings));
    const forge = new GitLabForge(config.forge);
    const project = await forge.project("dtaas/user1");
    if (!project) throw new Error("the project is gone");
    const mirrors = new Mirrors({ folder: data.git, git: {} });
    const commit = await mirrors.fetch({ ...project, defaultBranch: branch }, forge.gitAccess(project));
    if (commit === undefined) throw new Error("nothing was fetched");
    return { projectId: project.id, projectPath: project.path, iid: 1, commit };
  };

  const leftOf = async (kind: "ps -a" | "network ls" | "volume ls") => {
    const filter = `label=dtaas.installation=${platform.settings.secrets.installation}`;
    const format = kind === "ps -a" ? "{{.Names}}" : "{{.Name}}";
    const { stdout } = await platform.docker(...kind.split(" "), "--filter", filter, "--format", format);
    return stdout.split("\n").filter((name) => name.includes("preview"));
  };

  beforeAll(async () => {
    platform = await Platform.start({ users: ["user1"] });
    await platform.controller?.stop();
    platform.controller = undefined;
    data = dataFolder(platform.settings.dataFolder);
    await startHere();
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
  });
  afterAll(async () => {
    await controller?.close();
    await platform?.close();
    if (clone) await rm(clone.folder, { recursive: true, force: true });
  });

  const isOver = (of: MergeRequestRef, phase: string) =>
    until(`the preview is ${phase}`, async () => {
      const states = await controller.previews.states(of);
      return states[0]?.phase === phase || JSON.stringify(states);
    });

  test("its numbers stand beside those of the live twin, which goes on as it was", async () => {
    const live = await platform.twin("user1", "mass-spring-damper");
    const wanted = await mergeResult("stiffer", (text) => text.replace('"c1": 25.0', '"c1": 30.0'));
    await controller.previews.want(wanted);
    await isOver(wanted, "done");
    const [preview] = await controller.previews.states(wanted);
    expect(preview?.runs).toMatchObject([{ operation: "execute", exitCode: 0 }]);
    expect(preview?.comparisons).toMatchObject([
      { column: "left.x1", verdict: "fail", rows: 1001, tolerance: 0.05 },
      { column: "right.x2", verdict: "fail", rows: 1001 },
    ]);
    for (const { live: before, preview: after, maxDifference = 0, atRow = 0 } of preview?.comparisons ?? []) {
      expect([before.length, after.length]).toEqual([60, 60]);
      expect(before).not.toEqual(after);
      expect(maxDifference).toBeGreaterThan(0.2); // m: five more newtons per metre put the masses out of step
      expect(maxDifference).toBeLessThan(2.1); // neither swings further than it was pulled
      expect(atRow).toBeGreaterThan(1);
    }
    expect(preview?.comparisons[0]?.live[0]).toBe(1); // pulled by a metre, in both
    expect(preview?.comparisons[0]?.preview[0]).toBe(1);
    expect(await platform.twin("user1", "mass-spring-damper")).toEqual(live);
    const history = (await platform.api("/twins/user1/mass-spring-damper/runs")).body as { items: unknown[] };
    expect(history.items).toHaveLength(1); // nothing of the preview is in it

    const shown = await platform.cli("preview", "show", "1", "--user", "user1");
    expect(shown.stdout).toMatch(/left\.x1 +fail +1001/);
    const logs = await platform.cli("preview", "logs", "1", "--user", "user1");
    expect(logs.stdout).toContain("gauss-seidel, 10 s in steps of 0.001 s");
  });

  test("a change that changes nothing passes, and takes the place of the one before", async () => {
    const wanted = await mergeResult("same", (text) => text.replace('"stop": 10.0', '"stop": 10.00'));
    await controller.previews.want(wanted);
    await isOver(wanted, "done");
    const [preview] = await controller.previews.states(wanted);
    expect(preview).toMatchObject({
      commit: wanted.commit,
      comparisons: [
        { verdict: "pass", maxDifference: 0 },
        { verdict: "pass", maxDifference: 0 },
      ],
    });
  });

  test("one that cannot run says why, and neither a crash of the runner nor a restart of the controller in the middle loses or repeats it", async () => {
    const broken = await mergeResult("broken", (text) => text.replace('"c1"', '"c9"'));
    await controller.previews.want(broken);
    await platform.runner?.kill();
    await controller.close();
    await startHere();
    await platform.startRunner();
    await isOver(broken, "failed");
    const [preview] = await controller.previews.states(broken);
    expect(preview).toMatchObject({ reason: "execute ended with exit code 1", runs: [{ exitCode: 1 }] });
    expect(preview?.runs).toHaveLength(1);
    expect(preview?.comparisons[0]).toMatchObject({
      verdict: "cannot-compare",
      reason: expect.stringContaining("execute of the preview has not ended well"),
    });
    const logs = await platform.cli("preview", "logs", "1", "--user", "user1");
    expect(logs.stdout).toContain("no parameter c9");
  });

  test("removed in mid-run, nothing of it is left: no container, network, layer, file or snapshot", async () => {
    // Ten thousand seconds: it would run for a long time.
    const wanted = await mergeResult("long", (text) => text.replace('"stop": 10.0', '"stop": 10000.0'));
    await controller.previews.want(wanted);
    await until("it runs", async () => {
      const [preview] = await controller.previews.states(wanted);
      const names = await leftOf("ps -a");
      return (preview?.phase === "running" && names.length === 1) || JSON.stringify([preview, names]);
    });
    expect(await leftOf("network ls")).toHaveLength(1);
    await controller.previews.remove(wanted);
    await until("nothing is left in the engine", async () => {
      const left = await Promise.all([leftOf("ps -a"), leftOf("network ls"), leftOf("volume ls")]);
      return left.flat().length === 0 || JSON.stringify(left);
    });
    expect(await controller.previews.states(wanted)).toEqual([]);
    await until("its records are gone", async () => {
      const names = await readdir(join(data.previewed, "user1")).catch(() => []);
      return names.length === 0 || names.join();
    });
    expect((await readdir(data.layers)).filter((name) => name.includes("preview"))).toEqual([]);
    await until("its snapshot is gone", async () => {
      const isThere = await access(snapshotPath(data, "dtaas/user1", wanted.commit)).then(
        () => true,
        () => false,
      );
      return !isThere;
    });
    expect((await platform.twin("user1", "mass-spring-damper"))?.phase).toBe("completed");
  });
});
