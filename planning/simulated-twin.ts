import type { DesiredTwin, RunRequest } from "#schemas/desired-state";
import type { Outcome } from "#schemas/run";
import type { OperationSpec, TwinSpec } from "#schemas/twin-spec";
import type { ContainerFact, CopyFact, HealthFact, ImageFact, Step, TwinFacts } from "./facts.ts";
import {
  emptyMemory,
  rememberEnded,
  rememberGood,
  rememberOpen,
  rememberRefused,
  rememberStarted,
  rememberTryAgain,
  type TwinMemory,
} from "./memory.ts";
import { planTwin } from "./plan-twin.ts";
import type { TwinPlan } from "./status.ts";

const imageHash = "image1";

/** A twin in a world without an engine: steps take effect at once, time passes when it is told to. For tests. */
export class SimulatedTwin {
  desired: DesiredTwin | undefined;
  memory: TwinMemory = emptyMemory;
  containers: ContainerFact[] = [];
  requests: RunRequest[] = [];
  cancels = new Set<string>();
  health = new Map<string, HealthFact>();
  layers = new Set<string>();
  image: ImageFact = { state: "present", hash: imageHash, id: "sha256:1" };
  /** Why the desired source cannot be started for want of a secret. */
  secretProblem: string | undefined;
  dependencies: { name: string; ready: boolean }[] = [];
  /** Projects whose shared assets may be read. */
  readable: Set<string> | undefined;
  /** Bytes that layers take, by source key. */
  disk = new Map<string, number>();
  /** Copies of the workspace's files, by run; one that is asked for is made at once from this. */
  copies = new Map<string, CopyFact>();
  workspace: CopyFact = { state: "failed", reason: "there is no workspace" };
  nowMs = 1_000_000;
  /** Everything that was done, as `start execute k1` or `stop execute k1 replaced`. */
  done: string[] = [];
  endings = new Map<string, { reason: string; explanation?: string }>();
  outcomes = new Map<string, Outcome>();
  forgotten = false;
  #runs = 0;

  facts(): TwinFacts {
    return {
      name: "tank",
      desired: this.desired,
      image: this.image,
      lastGoodImage: this.memory.lastGood ? this.image : undefined,
      ...(this.secretProblem === undefined ? {} : { secretProblem: this.secretProblem }),
      containers: this.containers,
      memory: this.memory,
      requests: this.requests,
      cancels: this.cancels,
      dependencies: this.dependencies,
      health: this.health,
      layers: [...this.layers],
      stopping: new Set(),
      readable: this.readable,
      disk: this.disk,
      copies: new Map([
        ...this.requests.flatMap(({ runId, worktree }) => (worktree ? [[runId, undefined] as const] : [])),
        ...this.copies,
      ]),
      nowMs: this.nowMs,
    };
  }

  /** Plans and applies until nothing is left to do now. */
  settle(maxRounds = 20): TwinPlan {
    for (let round = 0; round < maxRounds; round += 1) {
      const plan = planTwin(this.facts());
      const effective = plan.steps.filter(
        (step) => step.kind !== "build-image" && step.kind !== "forget-twin",
      );
      for (const step of plan.steps) this.#apply(step);
      if (effective.length === 0) return plan;
    }
    throw new Error(`the plan does not settle: ${this.done.slice(-6).join(" | ")}`);
  }

  pass(ms: number): TwinPlan {
    this.nowMs += ms;
    return this.settle();
  }

  running(operation = "execute"): ContainerFact[] {
    return this.containers.filter(
      (container) => container.operation === operation && container.state === "running",
    );
  }

  /** The container ends by itself, or somebody kills it. */
  exit(container: ContainerFact | undefined, exitCode: number): void {
    this.containers = this.containers.map((one) =>
      one === container ? { ...one, state: "exited", exitCode } : one,
    );
  }

  #apply(step: Step): void {
    switch (step.kind) {
      case "build-image":
        this.done.push("build");
        return;
      case "start-run": {
        this.#runs += 1;
        const runId = step.runId ?? `run${this.#runs}`;
        const command = step.source.spec.lifecycle[step.operation];
        this.memory = rememberOpen(this.memory, runId, {
          operation: step.operation,
          cause: step.cause,
          key: step.key,
          attempt: step.attempt,
          graceMs: 10_000,
          started: false,
          reads: (step.source.shared ?? []).map(({ project }) => project),
          ...(command?.timeoutMs === undefined ? {} : { timeoutMs: command.timeoutMs }),
          ...(step.join ? { forRun: step.join.runId } : {}),
        });
        const id = `c-${runId}`;
        const { sourceKey, revision } = step.source;
        this.containers = [
          ...this.containers.filter((container) => container.runId !== runId),
          {
            id,
            runId,
            operation: step.operation,
            key: step.key,
            sourceKey,
            revision,
            state: "running",
            startedAtMs: this.nowMs,
            changed: false,
          },
        ];
        this.layers.add(sourceKey);
        this.memory = rememberStarted(this.memory, runId, id, this.nowMs);
        this.done.push(`start ${step.operation} ${sourceKey} (${step.cause})`);
        return;
      }
      case "stop-run": {
        const container = this.containers.find((one) => one.runId === step.runId);
        this.endings.set(step.runId, step);
        this.done.push(`stop ${container?.operation} ${container?.sourceKey} (${step.reason})`);
        this.exit(container, 143);
        return;
      }
      case "finish-run": {
        const container = this.containers.find((one) => one.runId === step.runId);
        const ending = this.endings.get(step.runId);
        const outcome = outcomeOf(container, ending?.reason);
        this.outcomes.set(step.runId, outcome);
        const lastedMs = this.nowMs - (container?.startedAtMs ?? this.nowMs);
        const reason =
          ending?.explanation ??
          (outcome === "succeeded" ? undefined : `${outcome} (${container?.exitCode})`);
        this.memory = rememberEnded(this.memory, step.runId, {
          outcome,
          reason,
          lastedMs,
          nowMs: this.nowMs,
        });
        this.requests = this.requests.filter((request) => request.runId !== step.runId);
        this.containers = this.containers.filter((one) => one.runId !== step.runId);
        return;
      }
      case "reject-request":
        this.outcomes.set(step.runId, step.outcome);
        this.requests = this.requests.filter((request) => request.runId !== step.runId);
        this.done.push(`reject (${step.reason})`);
        return;
      case "remember-good":
        this.memory = rememberGood(this.memory, step);
        return;
      case "refuse-source":
        this.done.push(`refuse ${step.revision}`);
        this.memory = rememberRefused(this.memory, step);
        return;
      case "try-again":
        this.memory = rememberTryAgain(this.memory, step.key);
        return;
      case "copy-work-tree":
        this.copies.set(step.runId, this.workspace);
        this.done.push("copy");
        return;
      case "remove-copy":
        this.copies.delete(step.runId);
        if (step.sourceKey !== undefined) this.layers.delete(step.sourceKey);
        this.done.push("remove copy");
        return;
      case "remove-layer":
        this.layers.delete(step.sourceKey);
        return;
      case "forget-twin":
        this.forgotten = true;
        return;
    }
  }
}

function outcomeOf(container: ContainerFact | undefined, ending: string | undefined): Outcome {
  if (ending === "cancelled") return "cancelled";
  if (ending === "timed out") return "timed-out";
  if (ending === "unhealthy" || ending === "disk full") return "failed";
  if (ending !== undefined) return "stopped";
  if (!container) return "lost";
  return container.exitCode === 0 ? "succeeded" : "failed";
}

const operation: OperationSpec = {
  run: "lifecycle/x",
  workingDir: "digital_twins/tank",
  graceMs: 10_000,
  outputs: [],
};

/** A desired twin with a source key of one's choice. */
export function desiredTwin(
  sourceKey: string,
  change: Partial<Omit<DesiredTwin, "spec">> & {
    spec?: Partial<TwinSpec>;
    operations?: Record<string, Partial<OperationSpec>>;
  } = {},
): DesiredTwin {
  const { spec, operations = { execute: {} }, ...rest } = change;
  const lifecycle = Object.fromEntries(
    Object.entries(operations).map(([name, more]) => [name, { ...operation, ...more }]),
  );
  return {
    name: "tank",
    metadata: { name: "tank", title: "Tank", description: "", labels: {} },
    derived: false,
    state: "running",
    suspend: false,
    sourceKey,
    revision: `revision of ${sourceKey}`,
    own: { project: "dtaas/user1", commit: "0".repeat(40) },
    spec: {
      integrationLevel: "twin",
      workspace: { template: "base", packages: { apt: [], pip: [] } },
      assets: [],
      environment: {},
      lifecycle,
      dependsOn: [],
      restart: { policy: "on-failure", maxRetries: 3, backoffMs: 2_000 },
      rollout: { strategy: "replace", timeoutMs: 60_000 },
      resources: { cpus: 1, memoryBytes: 2 ** 29, pids: 256 },
      ...spec,
    },
    ...rest,
  };
}
