import { parseDuration } from "./duration.ts";
import type { Platform } from "./generated/platform.ts";
import type { Workspace } from "./generated/workspace.ts";
import type { Find } from "./parse-document.ts";
import { listOf, recordOf } from "./plain-data.ts";
import { quote } from "./quote.ts";

const defaultEveryMs = 3_600_000;

/** A repository on another Git host, as workspace.yaml names it. */
export interface RemoteSpec {
  name: string;
  url: string;
  direction: "pull" | "push";
  everyMs: number;
  /** `undefined`: the default branch there for pull, the name of the one here for push. */
  branch?: string;
  /** Name of the variable that holds them. */
  credentials?: string;
}

/** What platform.yaml lets users name. */
export interface RemotePolicy {
  /** `undefined`: every host on the open internet. `*.` in front stands for every host below. */
  hosts?: string[];
  /** `host:port`, each of which may have a private or loopback address and speak plain http. */
  private: string[];
}

/** A remote with what became of it, as the API answers. */
export interface RemoteView {
  user: string;
  name: string;
  url: string;
  direction: "pull" | "push";
  everyMs: number;
  branch: string | null;
  /**
   * `waiting`: to be done soon; `conflict`: both sides changed the same, see `files`; `refused`: somebody has to act;
   * `failed`: tried again by itself.
   */
  outcome: "never" | "waiting" | "running" | "updated" | "unchanged" | "conflict" | "refused" | "failed";
  /** One sentence for people. */
  message: string | null;
  /** Paths that are in the way. */
  files: string[];
  /** Head here after the last attempt, and over there. */
  commit: string | null;
  remoteCommit: string | null;
  requestedAt: string | null;
  finishedAt: string | null;
  /** When it is tried again. */
  nextAt: string | null;
}

/** Pure; of a document without errors. */
export function remotesOf(spec: Workspace["spec"]): RemoteSpec[] {
  return (spec.remotes ?? []).map(({ name, url, direction, every, branch, credentials }) => ({
    name,
    url,
    direction,
    everyMs: (every === undefined ? undefined : parseDuration(every)) ?? defaultEveryMs,
    ...(branch === undefined ? {} : { branch }),
    ...(credentials === undefined ? {} : { credentials }),
  }));
}

/** Pure; of a document without errors. */
export function remotePolicyOf(spec: Platform["spec"]): RemotePolicy {
  const { hosts, private: closed = [] } = spec.policies?.remotes ?? {};
  return { ...(hosts === undefined ? {} : { hosts }), private: closed };
}

/** Reports names that are given twice. */
export function findDoubleRemotes(spec: unknown, find: Find): void {
  const seen = new Set<unknown>();
  for (const [index, remote] of (listOf(recordOf(spec)?.["remotes"]) ?? []).entries()) {
    const name = recordOf(remote)?.["name"];
    if (typeof name === "string" && seen.has(name)) {
      const pointer = `/spec/remotes/${index}/name`;
      find({ code: "duplicate-item", pointer, message: `a remote ${quote(name)} is there already` });
    }
    seen.add(name);
  }
}
