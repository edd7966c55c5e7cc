import pLimit from "p-limit";
import { mergeAssets } from "#planning/merge-assets";
import type { DesiredState } from "#schemas/desired-state";
import type { Diagnostic } from "#schemas/diagnostic";
import { maxDocumentBytes } from "#schemas/limits";
import { validateRepository } from "#schemas/validate-repository";
import { checkTree } from "../assets/check-tree.ts";
import { GitReader } from "../assets/git-reader.ts";
import type { Forge, ForgeProject } from "../forge/forge.ts";
import { usersOf } from "../reconcile/reconcile-shared.ts";
import type { SharedReaders } from "../reconcile/shared-readers.ts";
import { treeDiagnostic, treeRefusal } from "../reconcile/tree-refusal.ts";
import { wideningOfPlatform, wideningOfTwins } from "./access-changes.ts";
import type { ReviewFindings } from "./comment.ts";
import { type ForeseeDeps, type Foreseen, foreseeUser, type Proposal } from "./foresee-user.ts";
import { dependents, nameable, type TouchedTwin, touchedBy } from "./touched-twins.ts";
import { type AssetChange, changedAssets, imageChanges, twinChanges } from "./twin-changes.ts";

const maxUsers = 200; // whose twins are looked at for one change of something shared; each costs some milliseconds
const usersAtOnce = 4;

export interface LookDeps extends ForeseeDeps {
  forge: ForeseeDeps["forge"] & Pick<Forge, "isPrivate" | "members">;
  readers: Pick<SharedReaders, "mayRead">;
}

export interface Proposed {
  project: ForgeProject;
  /** Commit that would be the head. */
  commit: string;
  fromOutside: boolean;
}

/** What a look found, before anybody is told. */
export type Looked = Pick<
  ReviewFindings,
  | ("knownErrors" | "brokenOthers" | "twinsValidated" | "usersLeftOut" | "plan" | "images" | "assets")
  | ("widening" | "touched" | "observedAt" | "problems")
>;

const nothing = {
  ...{ knownErrors: 0, brokenOthers: { named: [], unnamed: 0 }, touched: { named: [], unnamed: 0 } },
  ...{
    twinsValidated: 0,
    usersLeftOut: 0,
    images: [],
    assets: [],
    widening: [],
    observedAt: undefined,
    problems: [],
  },
};

/** Validates and plans what a merge request proposes, by what its project is for. Data only: nothing runs, nothing is kept. */
export async function lookAtProposal(deps: LookDeps, proposed: Proposed): Promise<Looked> {
  const { tracked } = deps;
  const { path } = proposed.project;
  const role = tracked.role(path);
  if (role.kind === "platform") return await lookAtPlatform(deps, proposed);
  if (role.kind === "shared") return await lookAtShared(deps, proposed);
  if (role.kind === "untracked") return nothing;
  const own = await lookAtUser(deps, role.user, proposed);
  if (tracked.listersOf(path).length === 0) return own;
  // It is a shared repository of others as well.
  const shared = await lookAtShared(deps, proposed);
  return {
    ...own,
    usersLeftOut: shared.usersLeftOut,
    brokenOthers: shared.brokenOthers,
    touched: {
      named: [...own.touched.named, ...shared.touched.named],
      unnamed: own.touched.unnamed + shared.touched.unnamed,
    },
  };
}

async function lookAtUser(deps: LookDeps, user: string, proposed: Proposed): Promise<Looked> {
  const { project, commit, fromOutside } = proposed;
  const foreseen = await foreseeUser(deps, { user, project }, { own: commit, fromOutside });
  if (!foreseen) return nothing;
  const target = await foreseeUser(deps, { user, project }, { fromOutside });
  const { before, after, validated, observedAt } = foreseen;
  const plan = twinChanges(foreseen);
  const others = deps.desired.all().filter((document) => document.user !== user);
  const touched = dependents(plan.changes, others);
  const over = after.twins.flatMap(({ brokenSince }) => brokenSince?.diagnostics ?? []);
  const known = [...(target?.validated.diagnostics ?? []), ...toldBefore(before)];
  const news = newProblems([...validated.diagnostics, ...over.filter(isLimit)], known);
  const errors = validated.diagnostics.filter(isError).length - news.filter(isError).length;
  return {
    ...nothing,
    ...{ plan, observedAt, problems: news, knownErrors: Math.max(0, errors) },
    twinsValidated: validated.twins.length,
    images: imageChanges(foreseen),
    assets: changedAssets(before?.view, after.view),
    widening: wideningOfTwins(before?.twins ?? [], after.twins),
    touched: await nameable(deps.forge, { project, group: deps.tracked.group }, touched),
  };
}

async function lookAtShared(deps: LookDeps, proposed: Proposed): Promise<Looked> {
  const { project, commit } = proposed;
  const tree = await GitReader.open(deps.mirrors, project.id, commit);
  const refusal = refusalOf(tree);
  if (refusal) return { ...nothing, problems: [refusal] };
  const own = deps.tracked.role(project.path);
  const concerned = (await usersOf(deps, project.path)).filter(
    ({ user }) => own.kind !== "user" || own.user !== user,
  );
  const head = await deps.mirrors.head(project);
  const before = head === undefined ? undefined : await GitReader.open(deps.mirrors, project.id, head);
  const looked = await lookAtUsers(deps, concerned, project, {
    shared: { project: project.path, commit },
    fromOutside: proposed.fromOutside,
  });
  return { ...nothing, ...looked, assets: assetsOf(project.path, before, tree) };
}

async function lookAtPlatform(deps: LookDeps, { project, commit, fromOutside }: Proposed): Promise<Looked> {
  const tree = await GitReader.open(deps.mirrors, project.id, commit);
  const refusal = refusalOf(tree);
  if (refusal) return { ...nothing, problems: [refusal] };
  const { platform, diagnostics } = await validateRepository({
    ...{ user: "platform", tree, common: "none", templates: deps.templates },
    read: (path) => tree.read(path, maxDocumentBytes + 1),
  });
  if (!platform) return { ...nothing, problems: diagnostics };
  const looked = await lookAtUsers(deps, deps.tracked.users(), project, { platform, fromOutside });
  return {
    ...{ ...nothing, ...looked, problems: diagnostics },
    widening: wideningOfPlatform(deps.tracked.platform, platform),
  };
}

/** The twins of many users with something shared as proposed: which are touched, which would be broken. */
async function lookAtUsers(
  deps: LookDeps,
  users: readonly { user: string; project: ForgeProject }[],
  project: ForgeProject,
  proposal: Proposal,
): Promise<Pick<Looked, "touched" | "brokenOthers" | "twinsValidated" | "usersLeftOut" | "observedAt">> {
  const limit = pLimit(usersAtOnce);
  const looks = await limit.map(users.slice(0, maxUsers), (each) => foreseeUser(deps, each, proposal));
  const seen = looks.filter((look) => look !== undefined);
  const where = { project, group: deps.tracked.group };
  const observedAt = seen.flatMap((look) => look.observedAt ?? []).sort()[0];
  return {
    touched: await nameable(
      deps.forge,
      where,
      seen.flatMap((look) => touchedBy(twinChanges(look).changes)),
    ),
    brokenOthers: await nameable(deps.forge, where, seen.flatMap(brokenTwins)),
    twinsValidated: seen.reduce((sum, look) => sum + look.validated.twins.length, 0),
    usersLeftOut: Math.max(0, users.length - maxUsers),
    observedAt,
  };
}

/** Twins that have an error with the proposal and had it not before, each with the first. */
function brokenTwins({ user, before, validated }: Foreseen): TouchedTwin[] {
  return validated.twins.flatMap(({ name, diagnostics }) => {
    const [first] = newProblems(diagnostics.filter(isError), toldBefore(before));
    return first
      ? [{ user, twin: name, what: `${first.file}:${first.line}:${first.column}: ${first.message}` }]
      : [];
  });
}

/** What the document of the target branch says is wrong with it. Pure. */
function toldBefore(before: DesiredState | undefined): Diagnostic[] {
  const broken = [
    ...(before?.refused ?? []),
    ...(before?.twins ?? []).flatMap((twin) => twin.brokenSince ?? []),
  ];
  return [...(before?.problems ?? []), ...broken.flatMap(({ diagnostics }) => diagnostics)];
}

/** What is not known already; errors first. Pure. */
function newProblems(found: readonly Diagnostic[], known: readonly Diagnostic[]): Diagnostic[] {
  const old = new Set(known.map(identity));
  const news = found.filter((one) => !old.has(identity(one)));
  return [...news.filter(isError), ...news.filter((one) => !isError(one))];
}

function isError({ severity }: Diagnostic): boolean {
  return severity === "error";
}

function identity({ file, code, message }: Diagnostic): string {
  return JSON.stringify([file, code, message]);
}

function isLimit({ code }: Diagnostic): boolean {
  return code === "limit-exceeded";
}

function refusalOf(tree: GitReader): Diagnostic | undefined {
  try {
    checkTree(tree);
    return undefined;
  } catch (error) {
    return treeDiagnostic(treeRefusal(error));
  }
}

/** What a shared repository gives, before and after. */
function assetsOf(project: string, before: GitReader | undefined, after: GitReader): AssetChange[] {
  const viewOf = (tree: GitReader) => ({
    ...{ sources: [{ project, commit: tree.commit }], hidden: [], problems: [] },
    assets: mergeAssets([tree]).assets.map(({ path, from }) => ({
      path,
      from,
      id: tree.entry(path)?.id ?? "",
    })),
  });
  return changedAssets(before && viewOf(before), viewOf(after));
}
