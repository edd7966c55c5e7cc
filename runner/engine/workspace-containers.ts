import type { WorkspaceResources } from "#schemas/workspace-state";
import type { ReadOnlyMount } from "./engine.ts";

/** What the runner may ask for. There is no way to pass an engine option of one's own. */
export interface WorkspaceContainerSpec {
  user: string;
  session: number;
  imageId: string;
  /** Absent: what the image itself starts. */
  command?: string[];
  environment: Record<string, string>;
  resources: WorkspaceResources;
  network: string;
  /** Folders of this machine that the workspace writes to: its files and its home. */
  treeFolder: string;
  homeFolder: string;
  mounts: readonly ReadOnlyMount[];
  /** Names that lead to this machine's address in the user's network. */
  hostNames: Record<string, string>;
}

export interface WorkspaceContainer {
  id: string;
  user: string;
  session: number;
  state: "created" | "running" | "exited";
  exitCode?: number;
  imageId: string;
  /** In the user's network; only while it runs. */
  address?: string;
}

/**
 * Containers of workspaces. They are none of a run: whoever lists or follows containers of runs does not see them. What is
 * there of one is started, stopped, removed and read by its id like any other (`Containers`).
 */
export interface WorkspaceContainers {
  /** Makes the container, or finds the one of this user and session. Does not start it. */
  create(spec: WorkspaceContainerSpec): Promise<{ id: string }>;
  /** Of all users unless one is given. */
  list(user?: string): Promise<WorkspaceContainer[]>;
  /** Address of this machine in the user's network, which is made when it is not there. */
  gateway(user: string): Promise<string>;
  /**
   * Runs a command inside, as the workspace's user, and collects what it prints, at most `maxBytes`. The exit code is 124
   * when it took longer than `timeoutMs`, 125 when the container does not run.
   */
  run(
    id: string,
    command: string[],
    limits: { timeoutMs: number; maxBytes: number },
  ): Promise<{ exitCode: number; output: string }>;
  /**
   * The same for a command that prints much: `take` gets what it prints, no faster than it takes it. What it prints as
   * errors is collected, at most `maxErrorBytes`. What `take` throws is thrown on, unless the command itself has failed.
   */
  stream(
    id: string,
    command: string[],
    limits: { timeoutMs: number; maxErrorBytes: number },
    take: (output: AsyncIterable<Uint8Array>) => Promise<void>,
  ): Promise<{ exitCode: number; errors: string }>;
  /** Processor time it has used since it started, in milliseconds; `undefined` when it does not run. */
  cpuMs(id: string): Promise<number | undefined>;
  /**
   * Bytes on disk of the files of a user's workspaces, whatever they are called, linked to or closed to; `undefined` when
   * it takes too long to count them.
   */
  usage(user: string): Promise<number | undefined>;
  /** The engine's id of an image by its name. */
  findImage(name: string): Promise<string | undefined>;
  /** Fetches an image by its name. `ActionNeededError("PULL_FAILED")`, or the reason of the signal. */
  pull(name: string, signal: AbortSignal): Promise<string>;
}
