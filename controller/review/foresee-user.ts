import { ActionNeededError } from "#core/errors";
import { type Change, planChanges } from "#planning/plan-changes";
import type { DesiredState, DesiredTwin, View } from "#schemas/desired-state";
import type { Diagnostic } from "#schemas/diagnostic";
import { maxDocumentBytes } from "#schemas/limits";
import type { ObservedState } from "#schemas/observed-state";
import { parseWorkspace } from "#schemas/parse-workspace";
import type { RepositoryTree } from "#schemas/repository-tree";
import type { PlatformDocument } from "#schemas/twin-spec";
import { type ValidatedRepository, validateRepository } from "#schemas/validate-repository";
import { checkTree } from "../assets/check-tree.ts";
import { GitReader } from "../assets/git-reader.ts";
import type { ForgeProject } from "../forge/forge.ts";
import { admitTwins, admittedBefore } from "../reconcile/admit-twins.ts";
import { assetList } from "../reconcile/asset-list.ts";
import { desireUser } from "../reconcile/desire-user.ts";
import { otherTwins } from "../reconcile/reconcile-user.ts";
import { documentPaths, preloadBytes, treeIds } from "../reconcile/repository-reading.ts";
import { openShared, type SharedDeps, sharedWishes } from "../reconcile/shared-repositories.ts";
import { treeDiagnostic, treeRefusal } from "../reconcile/tree-refusal.ts";

export interface ForeseeDeps extends SharedDeps {
  desired: { get(user: string): DesiredState | undefined; all(): DesiredState[] };
  templates: readonly string[];
  observed(user: string): Promise<ObservedState | undefined>;
}

/** What is proposed: other content of the user's own repository, of a shared one, or other rules of the platform. */
export interface Proposal {
  /** Commit of the user's own repository; its head where it is absent. */
  own?: string;
  shared?: { project: string; commit: string };
  platform?: PlatformDocument;
  /** It comes from somebody who may not see what the user may: nothing that only the user sees is told. */
  fromOutside: boolean;
}

/** What one user's twins would be if a proposal were accepted, beside what they are. */
export interface Foreseen {
  user: string;
  before: DesiredState | undefined;
  after: { twins: DesiredTwin[]; refused: DesiredState["refused"]; view: View };
  /** What would happen, and what would happen anyway. */
  changes: Change[];
  changesAnyway: Change[];
  observedAt: string | undefined;
  validated: Pick<ValidatedRepository, "twins" | "diagnostics">;
  /** Absent where the tree may not be checked out. */
  own: GitReader | undefined;
}

/**
 * Reads, validates and plans as a push would, and writes nothing anywhere: data only, whoever proposes it. A repository
 * without commits is `undefined`.
 */
export async function foreseeUser(
  deps: ForeseeDeps,
  { user, project }: { user: string; project: ForgeProject },
  proposal: Proposal,
): Promise<Foreseen | undefined> {
  const before = deps.desired.get(user);
  const commit = proposal.own ?? (await deps.mirrors.head(project));
  if (commit === undefined) return undefined;
  const observed = await deps.observed(user);
  const { changes: changesAnyway, observedAt } = planChanges(before ?? { twins: [], refused: [] }, observed);
  const own = await openTree(deps, project, commit);
  if (own instanceof ActionNeededError)
    return refused(user, before, treeDiagnostic(own), { changesAnyway, observedAt });

  const common = await viewOf(deps, { user, project, own }, proposal, before);
  const read = await own.preload(documentPaths(own), preloadBytes);
  const platform = proposal.platform ?? deps.tracked.platform;
  const validated = await validateRepository({
    ...{ user, tree: own, common: common.tree, platform },
    read: (path) => read(path, maxDocumentBytes + 1),
    templates: deps.templates,
    otherTwins: proposal.fromOutside ? undefined : otherTwins(deps.desired, user),
  });
  if (proposal.fromOutside) hideSharedHints(validated);
  const head = {
    ...{ user, revision: commit, project: { id: project.id, path: project.path } },
    twins: validated.twins,
    own: treeIds(own),
    common: { view: common.view, tree: treeIds(common.tree) },
  };
  const desire = desireUser(head, before);
  const twins = admitTwins(desire.twins, {
    ...{ user, revision: commit, limits: platform?.limits?.perUser, before: admittedBefore(before) },
    now: new Date().toISOString(),
    locate: (name) => ({ file: `digital_twins/${name}/dt.yaml`, line: 1, column: 1 }),
  });
  const after = { ...desire, twins, view: common.view };
  const { changes } = planChanges(after, observed);
  return { user, before, after, changes, changesAnyway, observedAt, validated, own };
}

async function openTree(
  deps: ForeseeDeps,
  project: ForgeProject,
  commit: string,
): Promise<GitReader | ActionNeededError> {
  try {
    const reader = await GitReader.open(deps.mirrors, project.id, commit);
    checkTree(reader);
    return reader;
  } catch (error) {
    return treeRefusal(error);
  }
}

/** What the user would see at /workspace/common. Lists of somebody from outside open no door: the user's own list counts then. */
async function viewOf(
  deps: ForeseeDeps,
  { user, project, own }: { user: string; project: ForgeProject; own: GitReader },
  proposal: Proposal,
  before: DesiredState | undefined,
): Promise<{ view: View; tree: RepositoryTree }> {
  const listed = proposal.fromOutside ? undefined : await listedIn(own);
  const { shared } = proposal;
  const looking = {
    ...deps,
    snapshots: { ensure: async () => undefined },
    proposed: new Map(shared === undefined ? [] : [[shared.project, shared.commit]]),
  };
  const wishes = sharedWishes(deps.tracked, project.path, listed ?? deps.tracked.listedBy(user));
  const { parts, problems } = await openShared(looking, user, wishes, before);
  return assetList({ pinned: { project: project.path, commit: own.commit }, tree: own }, parts, problems);
}

/** The shared repositories that workspace.yaml names; `undefined` where it is broken or not to be read. */
async function listedIn(own: GitReader): Promise<readonly string[] | undefined> {
  const entry = own.entry("workspace.yaml");
  if (entry === undefined) return [];
  if ((entry.bytes ?? 0) > maxDocumentBytes) return undefined;
  const text = await own.read("workspace.yaml", maxDocumentBytes);
  return text && parseWorkspace(text, { file: "workspace.yaml" }).document?.shared;
}

/** Names of shared assets are for those who may read them: "did you mean" is left out. */
function hideSharedHints(validated: ValidatedRepository): void {
  for (const diagnostic of validated.diagnostics) {
    if (diagnostic.code !== "asset-missing" && !diagnostic.message.includes("common/")) continue;
    delete diagnostic.hint;
    delete diagnostic.mend;
  }
}

/** Everything stays as it was: what may not be checked out replaces nothing. */
function refused(
  user: string,
  before: DesiredState | undefined,
  diagnostic: Diagnostic,
  plan: Pick<Foreseen, "changesAnyway" | "observedAt">,
): Foreseen {
  const view = before?.view ?? { sources: [], assets: [], hidden: [], problems: [] };
  const after = { twins: before?.twins ?? [], refused: before?.refused ?? [], view };
  const validated = { twins: [], diagnostics: [diagnostic] };
  return { user, before, after, changes: plan.changesAnyway, ...plan, validated, own: undefined };
}
