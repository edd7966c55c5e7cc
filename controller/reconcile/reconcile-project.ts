import { ActionNeededError, messageOf } from "#core/errors";
import type { Logger } from "#core/logger";
import type { DependencyNode } from "#schemas/check-dependencies";
import type { DesiredState, PinnedSnapshot } from "#schemas/desired-state";
import type { Diagnostic } from "#schemas/diagnostic";
import { maxDocumentBytes } from "#schemas/limits";
import { hasErrors } from "#schemas/parse-document";
import { parsePlatform } from "#schemas/parse-platform";
import { validateRepository } from "#schemas/validate-repository";
import { GitReader } from "../assets/git-reader.ts";
import type { Mirrors } from "../assets/mirrors.ts";
import type { Forge, ForgeProject } from "../forge/forge.ts";
import { desireUser, type UserAtHead } from "./desire-user.ts";
import type { DesiredDocuments } from "./desired-documents.ts";
import type { TreeIds } from "./source-key.ts";
import type { Tracked } from "./tracked.ts";

// Stands for a repository without commits, as in Git's own reports.
const noRevision = "0".repeat(40);

// Documents of ordinary size are read together; larger or further ones are read one by one when they are validated.
const preloadBytes = 16 * 1024;
const preloadDocuments = 1_000;

export interface ReconcileDeps {
  forge: Forge;
  mirrors: Mirrors;
  snapshots: { ensure(project: ForgeProject, commit: string): Promise<unknown> };
  tracked: Tracked;
  desired: DesiredDocuments;
  /** Names of the workspace templates that the runner can build. */
  templates: readonly string[];
  logger: Logger;
  /** Ask for a project to be reconciled, soon. */
  nudgeProject(path: string): void;
  /** Tell the runner that a user's document is new. */
  nudgeUser(user: string): void;
}

export interface Reconciled {
  /** Head commit that was read; absent for an empty or deleted project. */
  revision?: string;
  /** Of the user's document after this; absent for projects that are no user's. */
  generation?: number;
  outcome: "applied" | "unchanged" | "refused" | "ignored";
  /** One sentence for people. */
  summary: string;
}

/**
 * Brings everything that follows from one project's head up to date. Reads the truth from Git; may be called at any
 * time and any number of times. Throws `TryLaterError` when the host or the disk cannot serve now.
 */
export async function reconcileProject(deps: ReconcileDeps, path: string): Promise<Reconciled> {
  const known = deps.tracked.project(path);
  const project = known?.defaultBranch ? known : await deps.forge.project(path);
  if (!project) {
    const gone = deps.tracked.role(path);
    if (gone.kind === "user" && known) return await removeUser(deps, gone.user, known);
    return { outcome: "ignored", summary: "there is no such project" };
  }
  await deps.tracked.note(project);
  const role = deps.tracked.role(path);
  if (role.kind === "untracked") return { outcome: "ignored", summary: "not a project of this platform" };
  if (role.kind === "user") await knowPlatform(deps);
  const revision = await deps.mirrors.fetch(project, deps.forge.gitAccess(project));
  switch (role.kind) {
    case "platform":
      return await reconcilePlatform(deps, project, revision);
    case "shared":
      return reconcileShared(deps, revision);
    case "user":
      return await reconcileUser(deps, role.user, project, revision);
  }
}

/** What platform.yaml says decides about twins: a user whose push is read first must not be read without it. */
async function knowPlatform(deps: ReconcileDeps): Promise<void> {
  if (deps.tracked.platform) return;
  const project = await deps.forge.project(`${deps.tracked.group}/platform`);
  if (!project) return;
  await deps.tracked.note(project);
  await reconcilePlatform(deps, project, await deps.mirrors.fetch(project, deps.forge.gitAccess(project)));
}

async function reconcilePlatform(
  deps: ReconcileDeps,
  project: ForgeProject,
  revision: string | undefined,
): Promise<Reconciled> {
  if (revision === undefined) return { outcome: "unchanged", summary: "the platform repository is empty" };
  const reader = await GitReader.open(deps.mirrors, project.id, revision);
  const text = await reader.read("platform.yaml", maxDocumentBytes);
  if (text === undefined) return { revision, outcome: "refused", summary: "platform.yaml is missing" };
  const { document, diagnostics } = parsePlatform(text, { file: "platform.yaml", templates: deps.templates });
  const [first] = diagnostics.filter(({ severity }) => severity === "error");
  if (!document || first) {
    const where = first ? `${first.file}:${first.line}:${first.column}: ${first.message}` : "no document";
    deps.logger.warn(
      { project: project.path, revision, problem: where },
      "platform.yaml is broken; the last good one counts",
    );
    return { revision, outcome: "refused", summary: where };
  }
  if (!(await deps.tracked.setPlatform(document)))
    return { revision, outcome: "unchanged", summary: "platform.yaml says the same" };
  for (const shared of deps.tracked.shared) deps.nudgeProject(shared);
  for (const { project: theirs } of deps.tracked.users()) deps.nudgeProject(theirs.path);
  return { revision, outcome: "applied", summary: "platform.yaml applied" };
}

/** A shared repository changed: everybody who declares something of it, or who waits for something of it, is looked at. */
function reconcileShared(deps: ReconcileDeps, revision: string | undefined): Reconciled {
  const concerned = deps.tracked.users().filter(({ user }) => {
    const document = deps.desired.get(user);
    if (!document) return true;
    return (
      document.refused.length > 0 ||
      document.twins.some((twin) => twin.brokenSince || usesShared(twin.spec.assets))
    );
  });
  for (const { project } of concerned) deps.nudgeProject(project.path);
  return {
    ...(revision === undefined ? {} : { revision }),
    outcome: "applied",
    summary: `${concerned.length} users are looked at again`,
  };
}

async function reconcileUser(
  deps: ReconcileDeps,
  user: string,
  project: ForgeProject,
  revision: string | undefined,
): Promise<Reconciled> {
  if (revision === undefined) return await removeUser(deps, user, project);
  const before = deps.desired.get(user);
  const own = await GitReader.open(deps.mirrors, project.id, revision).catch(treeRefusal);
  if (own instanceof ActionNeededError) return await refuseRevision(deps, { user, project, revision }, own);
  const common = await openCommon(deps, before);
  await own.preload(documentPaths(own), preloadBytes);
  const validated = await validateRepository({
    user,
    tree: own,
    read: (path) => own.read(path, maxDocumentBytes + 1),
    common: common?.reader ?? "none",
    platform: deps.tracked.platform,
    templates: deps.templates,
    otherTwins: otherTwins(deps.desired, user),
  });
  const head: UserAtHead = {
    user,
    project: { id: project.id, path: project.path },
    revision,
    twins: validated.twins,
    own: treeIds(own),
    ...(common ? { common: { pinned: common.pinned, tree: treeIds(common.reader) } } : {}),
  };
  const desire = await pinSnapshots(deps, project, head, before);
  const { document, isNew } = await deps.desired.put({ user, project: head.project, revision, ...desire });
  if (isNew) deps.nudgeUser(user);
  for (const twin of validated.twins) if (hasErrors(twin.diagnostics)) logBroken(deps, user, revision, twin);
  return summary(document, isNew);
}

/**
 * What is desired, with every snapshot it is pinned to on disk. A revision that may not be checked out is broken as a
 * whole: each of its twins says so, and what ran before runs on.
 */
async function pinSnapshots(
  deps: ReconcileDeps,
  project: ForgeProject,
  head: UserAtHead,
  before: DesiredState | undefined,
): Promise<Pick<DesiredState, "twins" | "refused">> {
  const desire = desireUser(head, before);
  try {
    for (const pinned of pins(desire.twins)) {
      await deps.snapshots.ensure(deps.tracked.project(pinned.project) ?? project, pinned.commit);
    }
    return desire;
  } catch (error) {
    const diagnostic = ofTree(treeRefusal(error));
    const twins = head.twins.map((twin) => ({
      name: twin.name,
      diagnostics: [...twin.diagnostics, diagnostic],
    }));
    return desireUser({ ...head, twins }, before);
  }
}

/** What validation will read, so that it is fetched together. */
function documentPaths(reader: GitReader): string[] {
  const twins = reader.list("digital_twins").slice(0, preloadDocuments);
  return ["workspace.yaml", ...twins.map((name) => `digital_twins/${name}/dt.yaml`)];
}

/** A revision that cannot even be listed: each twin known so far says so, and what ran before runs on. */
async function refuseRevision(
  deps: ReconcileDeps,
  { user, project, revision }: { user: string; project: ForgeProject; revision: string },
  refusal: ActionNeededError,
): Promise<Reconciled> {
  const before = deps.desired.get(user);
  const broken = { revision, diagnostics: [ofTree(refusal)] };
  const { document, isNew } = await deps.desired.put({
    user,
    project: { id: project.id, path: project.path },
    revision,
    twins: (before?.twins ?? []).map((twin) => ({ ...twin, brokenSince: broken })),
    refused: (before?.refused ?? []).map(({ name }) => ({ name, ...broken })),
  });
  if (isNew) deps.nudgeUser(user);
  const { generation } = document;
  return { revision, generation, outcome: "refused", summary: refusal.message };
}

/** Throws again whatever does not say that a tree may not be checked out. */
function treeRefusal(error: unknown): ActionNeededError {
  if (error instanceof ActionNeededError && error.code === "TREE_REFUSED") return error;
  throw error;
}

function ofTree(refusal: ActionNeededError): Diagnostic {
  const { file = "", line = 1, column = 1 } = refusal.where ?? {};
  const { message, hint } = refusal;
  return {
    code: "tree-refused",
    severity: "error",
    file,
    line,
    column,
    message,
    ...(hint === undefined ? {} : { hint }),
  };
}

/** The project is empty or gone: nothing of it shall run. */
async function removeUser(deps: ReconcileDeps, user: string, project: ForgeProject): Promise<Reconciled> {
  if (!deps.desired.get(user)) return { outcome: "unchanged", summary: "the repository is empty" };
  const { id, path } = project;
  const { document, isNew } = await deps.desired.put({
    user,
    project: { id, path },
    revision: "",
    twins: [],
    refused: [],
  });
  if (isNew) deps.nudgeUser(user);
  return summary(document, isNew);
}

/** A shared repository that may not be checked out does not stop its users: the commit they had last counts. */
async function openCommon(
  deps: ReconcileDeps,
  before: DesiredState | undefined,
): Promise<{ pinned: PinnedSnapshot; reader: GitReader } | undefined> {
  const [path] = deps.tracked.shared;
  const project =
    path === undefined ? undefined : (deps.tracked.project(path) ?? (await deps.forge.project(path)));
  if (!project) return undefined;
  await deps.tracked.note(project);
  let commit = await deps.mirrors.head(project);
  commit ??= await deps.mirrors.fetch(project, deps.forge.gitAccess(project));
  if (commit === undefined) return undefined;
  const reader = await GitReader.open(deps.mirrors, project.id, commit).catch(treeRefusal);
  if (!(reader instanceof ActionNeededError)) return { pinned: { project: project.path, commit }, reader };
  deps.logger.warn(
    { project: project.path, revision: commit, err: reader.message },
    "the shared repository is refused",
  );
  const last = before?.twins.find(({ common }) => common?.project === project.path)?.common;
  return last && { pinned: last, reader: await GitReader.open(deps.mirrors, project.id, last.commit) };
}

function otherTwins(desired: DesiredDocuments, user: string): DependencyNode[] {
  return desired
    .all()
    .filter((document) => document.user !== user)
    .flatMap((document) =>
      document.twins.map((twin) => ({
        user: document.user,
        twin: twin.name,
        dependsOn: twin.spec.dependsOn.map((name) =>
          name.includes("/") ? name : `${document.user}/${name}`,
        ),
        file: `digital_twins/${twin.name}/dt.yaml`,
      })),
    );
}

/** Every snapshot that a user's twins are pinned to, each once. */
export function pins(twins: DesiredState["twins"]): PinnedSnapshot[] {
  const all = twins.flatMap((twin) => (twin.common ? [twin.own, twin.common] : [twin.own]));
  return [...new Map(all.map((pinned) => [`${pinned.project} ${pinned.commit}`, pinned])).values()];
}

function treeIds(reader: GitReader): TreeIds {
  return {
    id: (path) => reader.entry(path)?.id,
    list: (folder) =>
      reader.list(folder).flatMap((name) => {
        const path = `${folder}/${name}`;
        const entry = reader.entry(path);
        return entry ? [{ path, id: entry.id, executable: entry.executable }] : [];
      }),
  };
}

function usesShared(assets: readonly { path: string }[]): boolean {
  return assets.some((asset) => asset.path.startsWith("common/"));
}

function summary(document: DesiredState, isNew: boolean): Reconciled {
  const { twins, refused, generation } = document;
  const broken = twins.filter((twin) => twin.brokenSince).length + refused.length;
  const text = `${twins.length + refused.length} twins${broken > 0 ? `, ${broken} with a broken spec` : ""}`;
  return {
    ...(document.revision === noRevision ? {} : { revision: document.revision }),
    generation,
    outcome: isNew ? "applied" : "unchanged",
    summary: text,
  };
}

function logBroken(
  deps: ReconcileDeps,
  user: string,
  revision: string,
  twin: {
    name: string;
    diagnostics: readonly { file: string; line: number; column: number; message: string }[];
  },
): void {
  const [first] = twin.diagnostics;
  const problem = first
    ? `${first.file}:${first.line}:${first.column}: ${first.message}`
    : messageOf("broken");
  deps.logger.info({ user, twin: twin.name, revision, problem }, "broken spec");
}
