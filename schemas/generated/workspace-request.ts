// Generated from schemas/documents/workspace-request.schema.json by scripts/generate-types.mjs; do not edit.

/**
 * One user's workspace as it shall be.
 */
export interface WorkspaceRequestDocument {
  version: 1;
  user: string;
  generation: number;
  session: number;
  writtenAt: string;
  state: "running" | "stopped";
  requestedBy: string;
  rebuild: boolean;
  keptAliveAt?: string;
  template?: Workspace;
  image?: string;
  resources: {
    cpus: number;
    memoryBytes: number;
    shmBytes: number;
    pids: number;
    diskBytes?: number;
  };
  idleStopAfterMs?: number;
  repository: {
    project: string;
    branch: string;
  };
  owner: {
    id: number;
    name: string;
    email: string;
  };
  gitToken: string;
  accessToken: string;
}
export interface Workspace {
  template: string;
  packages: Packages;
}
export interface Packages {
  /**
   * @maxItems 200
   */
  apt: string[];
  /**
   * @maxItems 200
   */
  pip: string[];
}
