import { expect, test } from "vitest";
import { isEnd } from "#schemas/pipelines";
import type { Forge, ForgeProject } from "./forge.ts";
import type { PipelineJob } from "./forge-pipelines.ts";

/** A Git host with two projects whose pipelines have the jobs `execute` and, when told so, `trigger_tank` with a child. */
export interface PipelineStage {
  forge: Forge;
  project: ForgeProject;
  other: ForgeProject;
  /** Of a developer in `project`, and of one in `other` alone. */
  token: string;
  otherToken: string;
  ref: string;
  /** A commit of `project`. */
  commit: string;
  /** Makes the job print this, as a runner does. */
  print(job: PipelineJob, text: string): Promise<void>;
  end(job: PipelineJob, state: "succeeded" | "failed"): Promise<void>;
  /** Starts a pipeline that triggers another one, which is there when this resolves; ids of both. */
  withChild(): Promise<{ parent: number; child: number }>;
  /** Of `project`, by name. */
  environment(
    name: string,
  ): Promise<{ url: string | null; isStopped: boolean; deployments: string[] } | undefined>;
}

/** What every adapter's `pipelines` and `environments` promise; register it where a stage is ready in `beforeAll`. */
export function forgePipelinesContract(stage: () => PipelineStage): void {
  const start = async () => {
    const { forge, project, token, ref } = stage();
    const made = await forge.pipelines.run(project, { token, ref, variables: { DTName: "tank" } });
    const jobs = (await forge.pipelines.show(project, made.id, token))?.jobs ?? [];
    const job = jobs.find(({ name }) => name === "execute");
    if (!job) throw new Error("the pipeline has no job execute");
    return { made, job };
  };

  test("a pipeline is started with variables, listed newest first, and shown with its jobs", async () => {
    const { forge, project, token, ref } = stage();
    const first = await start();
    const second = await start();
    const listed = await forge.pipelines.list(project, { token, limit: 2 });
    expect(listed.map(({ id }) => id)).toEqual([second.made.id, first.made.id]);
    expect(second.made).toMatchObject({ projectId: project.id, ref, source: "api" });
    expect(isEnd(second.made.state)).toBe(false);
    expect(second.job).toMatchObject({ pipeline: second.made.id, name: "execute" });
    expect(second.job.triggers).toBeUndefined();
  });

  test("what cannot be started is refused in the host's words", async () => {
    const { forge, project, token } = stage();
    const asked = forge.pipelines.run(project, { token, ref: "nowhere", variables: {} });
    await expect(asked).rejects.toMatchObject({
      code: "PIPELINE_REFUSED",
      message: expect.stringContaining("Reference not found"),
    });
  });

  test("the child of a pipeline is the one that its bridge names, whatever the ids are", async () => {
    const { forge, project, token } = stage();
    const { parent, child } = await stage().withChild();
    const bridge = (await forge.pipelines.show(project, parent, token))?.jobs.find(
      ({ triggers }) => triggers,
    );
    expect(bridge).toMatchObject({ name: "trigger_tank", triggers: { pipeline: { id: child } } });
    const listed = await forge.pipelines.list(project, { token, limit: 100 });
    expect(listed.map(({ id }) => id)).not.toContain(child);
  });

  test("a trace is read from where it was read last, with characters of several bytes", async () => {
    const { forge, project, token } = stage();
    const { job } = await start();
    const read = async (offset: number) =>
      (await forge.pipelines.trace(project, job.id, { offset, token }))?.toString("utf8");
    await stage().print(job, "grün\n");
    const first = (await read(0)) ?? "";
    expect(first.endsWith("grün\n")).toBe(true);
    const offset = Buffer.byteLength(first);
    expect(await read(offset)).toBe("");
    await stage().print(job, "two ✓\n");
    expect(await read(offset)).toBe("two ✓\n");
  });

  test("cancelling ends a pipeline and its jobs, and once more is no error; it can be retried", async () => {
    const { forge, project, token } = stage();
    const { made } = await start();
    const wish = { token, pipeline: made.id };
    await forge.pipelines.change(project, { ...wish, change: "cancel" });
    await forge.pipelines.change(project, { ...wish, change: "cancel" });
    const ended = await forge.pipelines.show(project, made.id, token);
    expect(ended?.state).toMatch(/^cancell(ed|ing)$/);
    expect(ended?.jobs[0]?.state).toMatch(/^cancell(ed|ing)$/);
    const again = await forge.pipelines.change(project, { ...wish, change: "retry" });
    expect(isEnd(again?.state ?? "failed")).toBe(false);
  });

  test("a job that has ended can be retried and not be played", async () => {
    const { forge, project, token } = stage();
    const { job } = await start();
    await stage().end(job, "failed");
    expect((await forge.pipelines.job(project, job.id, token))?.state).toBe("failed");
    await expect(
      forge.pipelines.changeJob(project, { token, job: job.id, change: "play" }),
    ).rejects.toMatchObject({ code: "JOB_NOT_CHANGEABLE" });
    const again = await forge.pipelines.changeJob(project, { token, job: job.id, change: "retry" });
    expect(again?.id).not.toBe(job.id);
    expect(again?.name).toBe("execute");
  });

  test("of another project nothing is seen, neither by its id there nor here", async () => {
    const { forge, project, other, token, otherToken } = stage();
    const { made, job } = await start();
    const { pipelines } = forge;
    expect(await pipelines.show(project, made.id, otherToken)).toBeUndefined();
    expect(await pipelines.show(other, made.id, otherToken)).toBeUndefined();
    expect(await pipelines.job(other, job.id, otherToken)).toBeUndefined();
    expect(await pipelines.trace(other, job.id, { offset: 0, token: otherToken })).toBeUndefined();
    expect(
      await pipelines.change(other, { token: otherToken, pipeline: made.id, change: "cancel" }),
    ).toBeUndefined();
    expect(
      await pipelines.changeJob(other, { token: otherToken, job: job.id, change: "cancel" }),
    ).toBeUndefined();
    expect(isEnd((await pipelines.show(project, made.id, token))?.state ?? "failed")).toBe(false);
  });

  test("an environment is made once, gets deployments, and is stopped and started again", async () => {
    const { forge, project, ref, commit } = stage();
    const name = "dtaas/tank";
    const wanted = { name, url: "http://dtaas.test/tank" };
    const made = await forge.environments.ensure(project, wanted);
    expect(made).toMatchObject({ name, url: wanted.url });
    expect((await forge.environments.ensure(project, { name, url: "http://dtaas.test/moved" })).id).toBe(
      made.id,
    );
    const deployment = { environment: name, commit, ref, state: "running" as const };
    const { id } = await forge.environments.deploy(project, deployment);
    await forge.environments.setDeployment(project, id, "succeeded");
    await forge.environments.setDeployment(project, id, "running"); // a step back is none, and no error
    expect(await stage().environment(name)).toEqual({
      url: "http://dtaas.test/moved",
      isStopped: false,
      deployments: ["success"],
    });
    await forge.environments.stop(project, name);
    await forge.environments.stop(project, name);
    await forge.environments.stop(project, "dtaas/never-was");
    expect((await stage().environment(name))?.isStopped).toBe(true);
    await forge.environments.deploy(project, deployment);
    expect((await stage().environment(name))?.isStopped).toBe(false);
  });
}
