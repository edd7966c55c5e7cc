import type { DesiredTwin } from "#schemas/desired-state";
import type { Phase } from "#schemas/observed-state";
import type { ImageFact, Step, TwinFacts } from "./facts.ts";

// A build that was asked for is asked for again after this, in case the wish was lost with Redis.
const askAgainMs = 10_000;

/** The source that the twin shall run now, with its restart key and its image. */
export interface Target {
  source: DesiredTwin;
  key: string;
  image: Exclude<ImageFact, { state: "unknown" }>;
  /** One of its secrets cannot be opened: it is not started, and what runs is not stopped for it. */
  secretProblem?: string;
  /** The last good source stands in for the desired one. */
  fallback: boolean;
}

// A secret that cannot be opened is looked at again this often: it may be sealed anew without anything else changing.
const secretsAgainMs = 30_000;

/** The image and the secrets are there, or what to do about it. */
export function planImage(
  facts: Pick<TwinFacts, "nowMs">,
  target: Pick<Target, "image" | "secretProblem"> & {
    source: { spec: Pick<DesiredTwin["spec"], "workspace"> };
  },
):
  | { ready: { hash: string; id: string }; plan?: undefined }
  | { plan: { steps: Step[]; phase: Phase; reason?: string; wakeAtMs?: number }; ready?: undefined } {
  const { image } = target;
  switch (image.state) {
    case "present":
      if (target.secretProblem !== undefined) {
        const { secretProblem: reason } = target;
        return { plan: { steps: [], phase: "failed", reason, wakeAtMs: facts.nowMs + secretsAgainMs } };
      }
      return { ready: { hash: image.hash, id: image.id } };
    case "missing":
      return {
        plan: {
          steps: [{ kind: "build-image", hash: image.hash, workspace: target.source.spec.workspace }],
          phase: "building",
          wakeAtMs: facts.nowMs + askAgainMs,
        },
      };
    case "failed": {
      const due = image.retryAtMs !== undefined && image.retryAtMs <= facts.nowMs;
      return {
        plan: {
          steps: due
            ? [{ kind: "build-image", hash: image.hash, workspace: target.source.spec.workspace }]
            : [],
          phase: due ? "building" : "failed",
          reason: image.reason,
          ...(!due && image.retryAtMs !== undefined ? { wakeAtMs: image.retryAtMs } : {}),
        },
      };
    }
  }
}
