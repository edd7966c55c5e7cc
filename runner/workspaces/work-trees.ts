import { messageOf } from "#core/errors";
import { printable } from "#schemas/quote";
import type { WorkTree } from "#schemas/workspace-state";
import type { WorkspaceContainers } from "../engine/workspace-containers.ts";
import { readWorkTree } from "./read-work-tree.ts";

const prepareDeadlineMs = 9 * 60_000; // below the deadline of starting
const syncDeadlineMs = 2 * 60_000;
const syncEveryMs = 60_000; // a push that nobody told of is seen after at most this
const retryMs = 3_000;
const maxOutputBytes = 64 * 1024;
const noSuchCommand = 127;

interface Known {
  state: "working" | "ready" | "failed";
  problem?: string;
  tree?: WorkTree;
  /** When it may be looked at again. */
  nextMs: number;
  /** Head of the project when it was looked at last. */
  head?: string | undefined;
}

/**
 * The work trees of running workspaces. Git runs inside only, as the user; here is what it told last. Nothing of it is kept
 * when this process ends: it is asked again.
 */
export class WorkTrees {
  readonly #containers: WorkspaceContainers;
  readonly #known = new Map<string, Known>();

  constructor(containers: WorkspaceContainers) {
    this.#containers = containers;
  }

  fact(containerId: string): {
    workTree: "unknown" | "working" | "ready";
    problem?: string;
    tree?: WorkTree;
  } {
    const known = this.#known.get(containerId);
    const { problem, tree } = known ?? {};
    const more = { ...(problem === undefined ? {} : { problem }), ...(tree === undefined ? {} : { tree }) };
    if (!known) return { workTree: "unknown" };
    if (known.state === "failed") {
      return { workTree: known.nextMs <= Date.now() ? "unknown" : "working", ...more };
    }
    return { workTree: known.state, ...more };
  }

  /** Makes the work tree, or looks after the one that is there. Returns at once; `done` is called when it is over. */
  prepare(containerId: string, done: () => void): void {
    if (this.#known.get(containerId)?.state === "working") return;
    this.#known.set(containerId, { state: "working", nextMs: 0 });
    void this.#run(containerId, "prepare", prepareDeadlineMs).then(({ exitCode, tree, problem }) => {
      // An image without Git or a shell is the user's own choice, and no reason not to use it.
      const isThere = exitCode === 0 || exitCode === noSuchCommand || exitCode === 126;
      this.#known.set(containerId, {
        state: isThere ? "ready" : "failed",
        nextMs: Date.now() + (isThere ? syncEveryMs : retryMs),
        ...(problem === undefined ? {} : { problem }),
        ...(isThere ? { tree } : {}),
      });
      done();
    });
  }

  /** Looks whether upstream has moved, unless that was done a moment ago for the same `head`. */
  sync(containerId: string, head: string | undefined, done: () => void): void {
    const known = this.#known.get(containerId);
    if (known?.state !== "ready") return;
    const isNews = head !== undefined && head !== known.head;
    if (!isNews && known.nextMs > Date.now()) return;
    known.head = head;
    known.nextMs = Date.now() + syncEveryMs;
    void this.#run(containerId, "sync", syncDeadlineMs).then(({ tree, problem }) => {
      const now = this.#known.get(containerId);
      if (!now) return;
      if (problem === undefined) delete now.problem;
      else now.problem = problem;
      now.tree = problem === undefined ? tree : { ...(now.tree ?? tree), problem };
      done();
    });
  }

  forget(containerId: string): void {
    this.#known.delete(containerId);
  }

  async #run(
    containerId: string,
    verb: "prepare" | "sync",
    timeoutMs: number,
  ): Promise<{ exitCode: number; tree: WorkTree; problem?: string }> {
    const checkedAt = new Date().toISOString();
    try {
      const command = ["/run/dtaas/work-tree", verb];
      const limits = { timeoutMs, maxBytes: maxOutputBytes };
      const { exitCode, output } = await this.#containers.run(containerId, command, limits);
      const tree = readWorkTree(output, checkedAt);
      if (exitCode === 0) return { exitCode, tree };
      const problem = `the work tree: ${lastLine(output) ?? `exit code ${exitCode}`}`;
      return { exitCode, tree: { ...tree, problem }, problem };
    } catch (error) {
      const problem = messageOf(error);
      return { exitCode: 1, tree: { checkedAt, changed: [], problem }, problem };
    }
  }
}

function lastLine(output: string): string | undefined {
  const line = output
    .split("\n")
    .map((one) => one.trim())
    .filter((one) => one !== "")
    .at(-1);
  return line === undefined ? undefined : printable(line, 300);
}
