import { maxDocumentBytes } from "#schemas/limits";
import { parsePlatform } from "#schemas/parse-platform";
import { GitReader } from "../assets/git-reader.ts";
import type { ForgeProject } from "../forge/forge.ts";
import type { ReconcileDeps, Reconciled } from "./reconcile-project.ts";

/** What platform.yaml says decides about twins: a user whose push is read first must not be read without it. */
export async function knowPlatform(deps: ReconcileDeps): Promise<void> {
  if (deps.tracked.platform) return;
  const path = `${deps.tracked.group}/platform`;
  if (deps.tracked.isListed && !deps.tracked.project(path)) return;
  const project = await deps.forge.project(path);
  if (!project) return;
  await deps.tracked.note(project);
  await reconcilePlatform(deps, project, await deps.mirrors.fetch(project, deps.forge.gitAccess(project)));
}

/** Takes over what platform.yaml says at this revision; a broken one changes nothing. */
export async function reconcilePlatform(
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
