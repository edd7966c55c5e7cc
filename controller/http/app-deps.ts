import type { RequestHandler } from "express";
import type { DataFolder } from "#core/data-folder";
import type { Logger } from "#core/logger";
import type { DeliveryView, PlanView, QueueLength } from "#schemas/api";
import type { CiTokens } from "../auth/ci-token.ts";
import type { ReadsShared } from "../auth/rights.ts";
import type { SignIn } from "../auth/sign-in.ts";
import type { Forge } from "../forge/forge.ts";
import type { Library } from "../library/library.ts";
import type { ControllerMetrics } from "../metrics.ts";
import type { JobRuns } from "../pipelines/job-runs.ts";
import type { PipelineWatch } from "../pipelines/pipeline-watch.ts";
import type { PreviewBook } from "../previews/preview-book.ts";
import type { Remotes } from "../remotes/remotes.ts";
import type { ReadHeadFile } from "../requests/change-state.ts";
import type { RequestBook } from "../requests/request-book.ts";
import type { RollbackDeps } from "../rollback/rollback-twin.ts";
import type { SecretBook } from "../secrets/secret-book.ts";
import type { WorkspaceBook } from "../workspaces/workspace-book.ts";

/** Deliveries as the journal remembers them. */
export interface DeliveryBook {
  get(id: string): Promise<DeliveryView | undefined>;
  /** Newest first. */
  list(limit: number): Promise<DeliveryView[]>;
}

/** Everything the HTTP side needs from the rest of the controller. */
export interface AppDeps {
  version: string;
  /** Group on the forge whose projects `<group>/<user>` are tracked. */
  group: string;
  /** Where people reach this platform, for links. */
  publicUrl: string;
  data: DataFolder;
  forge: Pick<
    Forge,
    "whoIs" | "project" | "accessLevel" | "commitFile" | "commitFiles" | "gitAccess" | "pipelines"
  >;
  logger: Logger;
  metrics: ControllerMetrics;
  readHeadFile: ReadHeadFile;
  requests: RequestBook;
  rollback: RollbackDeps;
  /** Reading a shared-asset repository as a member of a group that platform.yaml names. */
  readsShared: ReadsShared;
  /** Checks ID tokens of jobs. */
  ciTokens: Pick<CiTokens, "verify">;
  /** Remembers which job has begun a run. */
  jobRuns: Pick<JobRuns, "note">;
  pipelineWatch: PipelineWatch;
  deliveries: DeliveryBook;
  library: Library;
  previews: Pick<PreviewBook, "ofUser" | "get" | "changes">;
  remotes: Pick<Remotes, "list" | "request">;
  secrets: SecretBook;
  plan: (user: string) => Promise<PlanView>;
  /** By queue name. */
  queueLengths: () => Promise<Record<string, QueueLength>>;
  lastResync: () => Date | undefined;
  /** Resolves when Redis answers. */
  pingRedis: () => Promise<void>;
  workspaces: WorkspaceBook;
  /** Absent: people use access tokens only. */
  signIn?: Pick<SignIn, "caller" | "handler"> | undefined;
  /** Mounted before everything that reads bodies; answers `POST /webhooks/...`. */
  webhooks?: RequestHandler;
  /** Aborts when the process is to end: streams are closed. */
  stopping: AbortSignal;
}
