import type { WorkspaceContainers } from "../engine/workspace-containers.ts";
import type { Runner } from "../twins/runner.ts";
import type { Activity } from "./activity.ts";
import type { GitRelay } from "./git-relay.ts";
import type { ImageTasks } from "./image-tasks.ts";
import type { ToolProxies } from "./tool-proxy.ts";
import type { WorkTrees } from "./work-trees.ts";
import type { WorkspaceDisk } from "./workspace-disk.ts";
import type { WorkspaceFiles } from "./workspace-files.ts";

/** What looks at workspaces work with. */
export interface WorkspaceParts {
  runner: Runner;
  containers: WorkspaceContainers;
  files: WorkspaceFiles;
  images: ImageTasks;
  workTrees: WorkTrees;
  relay: GitRelay;
  proxies: ToolProxies;
  activity: Activity;
  disk: WorkspaceDisk;
  /** Containers whose tools have answered. */
  serving: Set<string>;
  /** Containers that are being stopped right now. */
  stopping: Set<string>;
  /** Asks for a user's workspace to be looked at again, soon. */
  nudge(user: string): void;
}
