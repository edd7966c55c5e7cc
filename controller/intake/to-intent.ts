import type { ForgeEvent } from "./to-event.ts";

/** What we do about an event. */
export type Intent = { kind: "reconcile"; project: string } | { kind: "none"; reason: string };

/** Pure. An intent names whom to look at, never what changed: the worker reads the truth from Git. */
export function toIntent(event: ForgeEvent): Intent {
  switch (event.kind) {
    case "pushed":
      if (event.isDefaultBranch === false)
        return { kind: "none", reason: `${event.branch} is not the default branch` };
      return { kind: "reconcile", project: event.projectPath };
    case "project-created":
    case "project-removed":
    case "project-moved":
      return { kind: "reconcile", project: event.projectPath };
    case "ignored":
      return { kind: "none", reason: event.reason };
  }
}
