import { ActionNeededError, messageOf } from "#core/errors";
import type { Logger } from "#core/logger";
import type { OnSetAside } from "#core/read-or-set-aside";
import { SerialByKey } from "#core/serial-by-key";
import type { DesiredState } from "#schemas/desired-state";
import type { ObservedState } from "#schemas/observed-state";
import type { Mirrors } from "../assets/mirrors.ts";
import type { Forge, ForgeProject } from "../forge/forge.ts";
import { JobRuns, type JobRunsDeps } from "./job-runs.ts";
import { PipelineWatch } from "./pipeline-watch.ts";
import { proposePipeline } from "./propose-pipeline.ts";
import { reportEnvironments } from "./report-environments.ts";

export interface DutiesDeps {
  data: { jobRuns: string; environments: string; proposed: string };
  forge: Forge;
  /** Of the platform's own account. */
  forgeToken: string;
  group: string;
  publicUrl: string;
  mirrors: Mirrors;
  runs: JobRunsDeps["runs"];
  cancel: JobRunsDeps["cancel"];
  tracked: { projectOf(user: string): ForgeProject | undefined };
  desired: { get(user: string): DesiredState | undefined };
  observed(user: string): Promise<ObservedState | undefined>;
  logger: Logger;
  onSetAside: OnSetAside;
}

/** What the controller does about pipelines by itself, beside answering requests. None of it keeps anything else from its work. */
export class PipelineDuties {
  readonly watch: PipelineWatch;
  readonly jobRuns: JobRuns;
  readonly #deps: DutiesDeps;
  readonly #serial = new SerialByKey();
  /** Users whose environments could not be told; tried again at the next look. */
  readonly #behind = new Set<string>();

  constructor(deps: DutiesDeps) {
    const { data, forge, runs, cancel, logger, onSetAside } = deps;
    this.#deps = deps;
    this.watch = new PipelineWatch(forge.pipelines);
    this.jobRuns = new JobRuns({
      ...{ folder: data.jobRuns, pipelines: forge.pipelines, runs, cancel, logger, onSetAside },
    });
  }

  /** The Git host says that a pipeline, or a job, is somewhere else. */
  changed({ projectId, job }: { projectId: number; job?: number }): void {
    this.watch.changed(projectId);
    if (job !== undefined) void this.jobRuns.lookAt(projectId, job);
  }

  /** Something of this user's twins was observed. */
  async tellEnvironments(user: string): Promise<void> {
    const { data, forge, publicUrl, onSetAside } = this.#deps;
    const folder = data.environments;
    await this.#quietly(user, async (project, desired) => {
      this.#behind.add(user);
      const observed = await this.#deps.observed(user);
      const deps = { folder, environments: forge.environments, publicUrl, onSetAside };
      await reportEnvironments(deps, project, desired, observed);
      this.#behind.delete(user);
    });
  }

  /** The user's repository is at another commit. */
  async propose(user: string): Promise<void> {
    const { data, forge, forgeToken, group, mirrors, onSetAside, logger } = this.#deps;
    await this.#quietly(user, async (project, desired) => {
      if (forge.hostOf(project.id).kind !== "gitlab") return; // what is proposed is a file of GitLab's
      const deps = { folder: data.proposed, forge, mirrors, token: forgeToken, onSetAside };
      const made = await proposePipeline({ ...deps, library: `${group}/common` }, project, desired);
      if (made !== undefined)
        logger.info({ user, mergeRequest: made }, "a change of the pipeline is proposed");
    });
  }

  /** What no event has told. */
  async lookAtAll(): Promise<void> {
    await this.jobRuns.lookAtAll();
    for (const user of [...this.#behind]) await this.tellEnvironments(user);
  }

  async #quietly(
    user: string,
    task: (project: ForgeProject, desired: DesiredState) => Promise<void>,
  ): Promise<void> {
    await this.#serial.run(user, async () => {
      const project = this.#deps.tracked.projectOf(user);
      const desired = this.#deps.desired.get(user);
      if (!project || !desired || /^0*$/.test(desired.revision)) return;
      try {
        await task(project, desired);
      } catch (error) {
        // A host without environments, or a file that only its author can mend, is said once in the log and no more.
        const isTheirs = error instanceof ActionNeededError;
        if (isTheirs) this.#behind.delete(user);
        this.#deps.logger[isTheirs ? "info" : "warn"](
          { user, err: messageOf(error) },
          "the Git host could not be told about pipelines or environments",
        );
      }
    });
  }
}
