import { ActionNeededError, messageOf } from "#core/errors";
import type { DependencyNode } from "#schemas/check-dependencies";
import type { DesiredState } from "#schemas/desired-state";
import { maxDocumentBytes } from "#schemas/limits";
import { hasErrors } from "#schemas/parse-document";
import { type ValidatedTwin, validateRepository } from "#schemas/validate-repository";
import { GitReader } from "../assets/git-reader.ts";
import type { ForgeProject } from "../forge/forge.ts";
import { admitTwins, admittedBefore } from "./admit-twins.ts";
import { desireUser, stillAllowed, type UserAtHead } from "./desire-user.ts";
import type { DesiredDocuments } from "./desired-documents.ts";
import { pins } from "./pins.ts";
import { readView } from "./read-view.ts";
import type { ReconcileDeps, Reconciled } from "./reconcile-project.ts";
import { repositoryProblems } from "./repository-problems.ts";
import { documentPaths, preloadBytes, treeIds } from "./repository-reading.ts";
import { treeDiagnostic, treeRefusal } from "./tree-refusal.ts";

// Stands for a repository without commits, as in Git's own reports.
const noRevision = "0".repeat(40);

/** Brings a user's desired-state document to what the repository says at this revision. */
export async function reconcileUser(
  deps: ReconcileDeps,
  user: string,
  project: ForgeProject,
  revision: string | undefined,
): Promise<Reconciled> {
  if (revision === undefined) return await removeUser(deps, user, project);
  const before = deps.desired.get(user);
  const own = await GitReader.open(deps.mirrors, project.id, revision).catch(treeRefusal);
  if (own instanceof ActionNeededError) return await refuseRevision(deps, { user, project, revision }, own);
  const common = await readView(deps, { user, project, own }, before);
  const read = await own.preload(documentPaths(own), preloadBytes);
  const validated = await validateRepository({
    user,
    tree: own,
    read: (path) => read(path, maxDocumentBytes + 1),
    common: common.tree,
    platform: deps.tracked.platform,
    templates: deps.templates,
    otherTwins: otherTwins(deps.desired, user),
  });
  const declaring = [...validated.twins.flatMap((twin) => twin.document ?? []), ...(before?.twins ?? [])];
  const sources = await deps.secrets.read(user, project, own, declaring);
  deps.secrets.check(user, validated.twins, sources);
  const head: UserAtHead = {
    user,
    project: { id: project.id, path: project.path },
    revision,
    twins: validated.twins,
    own: treeIds(own),
    common: { view: common.view, tree: treeIds(common.tree) },
  };
  const desire = await pinSnapshots(deps, project, head, before);
  const limits = deps.tracked.platform?.limits?.perUser;
  const twins = admitTwins(desire.twins, {
    ...{ user, revision, limits, before: admittedBefore(before), now: new Date().toISOString() },
    locate: (name) =>
      placeOfResources(
        validated.twins.find((twin) => twin.name === name),
        name,
      ),
  });
  const sealed = await deps.secrets.seal(user, project.path, twins, sources);
  const { document, isNew } = await deps.desired.put({
    ...{ user, project: head.project, revision, ...(limits ? { limits } : {}) },
    ...{ ...desire, twins: sealed.twins, view: common.view },
    ...repositoryProblems(validated.general),
  });
  if (isNew || sealed.isNew) deps.nudgeUser(user);
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
    for (const pinned of pins({ ...desire, ...(head.common ? { view: head.common.view } : {}) })) {
      await deps.snapshots.ensure(deps.tracked.project(pinned.project) ?? project, pinned.commit);
    }
    return desire;
  } catch (error) {
    const diagnostic = treeDiagnostic(treeRefusal(error));
    const twins = head.twins.map((twin) => ({
      name: twin.name,
      diagnostics: [...twin.diagnostics, diagnostic],
    }));
    return desireUser({ ...head, twins }, before);
  }
}

function placeOfResources(twin: ValidatedTwin | undefined, name: string) {
  const { line = 1, column = 1 } = twin?.locate("/spec/resources", "key") ?? {};
  return { file: twin?.file ?? `digital_twins/${name}`, line, column };
}

/** A revision that cannot even be listed: each twin known so far says so, and what ran before runs on. */
async function refuseRevision(
  deps: ReconcileDeps,
  { user, project, revision }: { user: string; project: ForgeProject; revision: string },
  refusal: ActionNeededError,
): Promise<Reconciled> {
  const before = deps.desired.get(user);
  const { view } = await readView(deps, { user, project, own: undefined }, before);
  const broken = { revision, diagnostics: [treeDiagnostic(refusal)] };
  const { document, isNew } = await deps.desired.put({
    user,
    project: { id: project.id, path: project.path },
    revision,
    ...(before?.limits ? { limits: before.limits } : {}),
    view,
    twins: (before?.twins ?? []).map((twin) => ({
      ...stillAllowed(twin, view.sources),
      brokenSince: broken,
    })),
    refused: (before?.refused ?? []).map(({ name }) => ({ name, ...broken })),
    problems: broken.diagnostics,
  });
  if (isNew) deps.nudgeUser(user);
  const { generation } = document;
  return { revision, generation, outcome: "refused", summary: refusal.message };
}

/** The project is empty or gone: nothing of it shall run. */
export async function removeUser(
  deps: ReconcileDeps,
  user: string,
  project: ForgeProject,
): Promise<Reconciled> {
  await deps.tracked.noteListed(user, []);
  if (!deps.desired.has(user)) return { outcome: "unchanged", summary: "the repository is empty" };
  const { id, path } = project;
  const { document, isNew } = await deps.desired.put({
    user,
    project: { id, path },
    revision: "",
    twins: [],
    refused: [],
  });
  await deps.secrets.forget(user);
  if (isNew) deps.nudgeUser(user);
  return summary(document, isNew);
}

/** Twins of everybody else, for what depends on what. */
export function otherTwins(desired: Pick<DesiredDocuments, "all">, user: string): DependencyNode[] {
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

function summary(document: DesiredState, isNew: boolean): Reconciled {
  const { twins, refused, problems = [], generation } = document;
  const broken = twins.filter((twin) => twin.brokenSince).length + refused.length;
  const beside = problems.length > 0 ? `, ${problems.length} problems beside the twins` : "";
  const text = `${twins.length + refused.length} twins${broken > 0 ? `, ${broken} with a broken spec` : ""}${beside}`;
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
