import { join } from "node:path";

/** Where everything lies on disk, relative to one data folder. Who writes: (c) controller, (r) runner. */
export interface DataFolder {
  root: string;
  /** (c) bare mirrors of repositories; nobody else reads them. */
  git: string;
  /** (c) deliveries, journalled before they are acknowledged. */
  journal: string;
  /** (c) immutable checkouts: `<project folder>/<commit>/...`. */
  snapshots: string;
  /** (c) `<user>.json`, one desired-state document each. */
  desired: string;
  /** (c) one document: what platform.yaml says to the runner. */
  platform: string;
  /** (c) `<user>/<run id>.json`: runs asked for; `<run id>.cancel`: a wish to end one. */
  requests: string;
  /** (c) `<user>.json`: up to which time the schedules of the user's twins were looked at. */
  schedules: string;
  /** (c) `<user>/<hash>.json`: which run an idempotency key stands for. */
  keys: string;
  /** (c) one file for each run that a job of a pipeline has begun and that goes on. */
  jobRuns: string;
  /** (c) `<user>.json`: which change of the user's pipeline was proposed last. */
  proposed: string;
  /** (c) `<user>.json`: the environments on the Git host as they were told last. */
  environments: string;
  /** (c) sign-ins of browsers, encrypted. */
  signIns: string;
  /** (c) `<user>.json`: the commit statuses reported last. */
  reported: string;
  /** (c) `<project id>/<iid>.json`: what was looked at and answered of each open merge request. */
  reviews: string;
  /** (c) `<user>.json`: what became of remotes; `git/`: what was fetched from them. */
  remotes: string;
  /** (c) `<user>/<twin>.json`: secrets of one twin, encrypted to the runner's key. */
  sealed: string;
  /** (r) `<user>.json`, one observed-state document each. */
  observed: string;
  /** (r) `<user>/<twin>/<run id>/{manifest,outcome}.json, log.ndjson, outputs/`. */
  runs: string;
  /** (r) `<user>.json`: what the runner has to remember beyond the engine (last good, refused revisions). */
  memory: string;
  /** (r) `<user>/<run id>/`: copies of the files of a workspace, for runs that have not ended. */
  copies: string;
  /** (r) writable layers of twins. */
  layers: string;
  /** (r) `runner.key`: the private keys that secrets are opened with; nobody else reads this folder. */
  runner: string;
  /** (r) `<user>/g<N>/`: generations of each user's merged view, made of links; `<user>/current` names the newest. */
  views: string;
  /** (r) `<user>.json`: which containers hold which generation. */
  viewHolders: string;
  /** (r) logs of image builds: `<image hash>.ndjson`. */
  builds: string;
  /** (c) `<user>/<id>.json`: previews of one merge request as they shall be. */
  previews: string;
  /** (c) `<user>/<id>.json`: their numbers beside those of live twins, as they were worked out last. */
  compared: string;
  /** (r) `<user>/<id>/`: `state.json`, what is seen of them; `<twin>/<run id>/`: their runs. */
  previewed: string;
  /** (c) `<user>.json`: workspaces as they shall be. Holds tokens: for the two processes only. */
  workspaceRequests: string;
  /** (r) `<user>/`: what is seen of a workspace, what is remembered, its logs, and the files it gets to read. */
  workspaces: string;
  /** (r) `<user>/{tree,home}`: the files of a workspace. Its user writes there; nobody else goes in. */
  worktrees: string;
  /** (embedded forge) `<id>.json`, `<id>/`, `<id>.cancel`: jobs of pipelines for the runner. Hold tokens: for the two processes only. */
  ciJobs: string;
  /** (r) `<id>.json`, `<id>/{trace,artifacts.tar}`: what became of them. */
  ciRuns: string;
  /** (r) what the process engine knows of its runs; also the log of an engine that `dtaas up` has started. */
  engine: string;
}

export function dataFolder(root: string): DataFolder {
  const at = (name: string) => join(root, name);
  return {
    root,
    git: at("git"),
    journal: at("journal"),
    snapshots: at("snapshots"),
    desired: at("desired"),
    platform: at("platform.json"),
    requests: at("requests"),
    schedules: at("schedules"),
    keys: at("keys"),
    jobRuns: at("job-runs"),
    proposed: at("proposed"),
    environments: at("environments"),
    signIns: at("sign-ins"),
    reported: at("reported"),
    reviews: at("reviews"),
    remotes: at("remotes"),
    sealed: at("sealed"),
    observed: at("observed"),
    runs: at("runs"),
    memory: at("memory"),
    copies: at("copies"),
    layers: at("layers"),
    runner: at("runner"),
    views: at("views"),
    viewHolders: at("view-holders"),
    builds: at("builds"),
    previews: at("previews"),
    compared: at("compared"),
    previewed: at("previewed"),
    workspaceRequests: at("workspace-requests"),
    workspaces: at("workspaces"),
    worktrees: at("worktrees"),
    ciJobs: at("ci-jobs"),
    ciRuns: at("ci-runs"),
    engine: at("engine"),
  };
}

/** A project path as one folder name: `dtaas/user1` -> `dtaas+user1` (`+` cannot stand in a GitLab path). */
export function projectFolder(projectPath: string): string {
  return projectPath.replaceAll("/", "+");
}

/** The checkout of a project at a commit. */
export function snapshotPath(data: DataFolder, project: string, commit: string): string {
  return join(data.snapshots, projectFolder(project), commit);
}

/** The folder of one run. */
export function runFolder(data: DataFolder, user: string, twin: string, runId: string): string {
  return join(data.runs, user, twin, runId);
}

/** Everything the runner keeps of the previews of one merge request. */
export function previewedFolder(data: DataFolder, of: { user: string; id: string }): string {
  return join(data.previewed, of.user, of.id);
}

/** The sealed secrets of one twin. */
export function sealedPath(data: DataFolder, user: string, twin: string): string {
  return join(data.sealed, user, `${twin}.json`);
}
