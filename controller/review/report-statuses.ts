import { join } from "node:path";
import { writeJsonAtomic } from "#core/atomic-file";
import type { DataFolder } from "#core/data-folder";
import { ActionNeededError } from "#core/errors";
import { type OnSetAside, readOrSetAside } from "#core/read-or-set-aside";
import type { DesiredState } from "#schemas/desired-state";
import type { ObservedState } from "#schemas/observed-state";
import type { CommitStatus, Forge, ForgeProject } from "../forge/forge.ts";
import { repositoryStatus, statusesOf, type TwinStatus } from "./status-of.ts";

/** What was told about one commit. */
interface Reported {
  commit: string;
  statuses: TwinStatus[];
}

export interface ReportDeps {
  data: DataFolder;
  forge: Forge;
  publicUrl: string;
  onSetAside: OnSetAside;
}

/**
 * Brings the commit statuses of a user's head up to what is observed. Only differences are sent. Statuses of the
 * commit before that never came to an end are closed, so that none stays "running" for ever.
 * With `verify`, what the host really shows is read first: used at start, when a crash may have come between.
 */
export async function reportStatuses(
  deps: ReportDeps,
  project: ForgeProject,
  desired: DesiredState,
  observed: ObservedState | undefined,
  options: { verify?: boolean } = {},
): Promise<void> {
  const path = join(deps.data.reported, `${desired.user}.json`);
  const before = await readOrSetAside(path, { check: checkReported, onSetAside: deps.onSetAside });
  const ref = project.defaultBranch ?? "main";
  const send = (commit: string, status: TwinStatus) =>
    deps.forge.setStatus(project, { commit, ref, ...status });

  if (before && before.commit !== desired.revision) {
    for (const status of before.statuses.filter(isOpen)) {
      const description = `superseded by ${desired.revision.slice(0, 8)}`;
      await send(before.commit, { ...status, state: "canceled", description });
    }
  }
  const wanted = statusesOf(desired, observed, deps.publicUrl);
  let shown: readonly TwinStatus[] = before?.commit === desired.revision ? before.statuses : [];
  if (options.verify && (shown.length === 0 || shown.some(isOpen))) {
    shown = (await deps.forge.listStatuses(project, desired.revision)).filter(isOurs);
  }
  const isNews = wanted.some((status) => !shown.some((candidate) => isSame(candidate, status)));
  for (const status of wanted) {
    if (!shown.some((candidate) => isSame(candidate, status))) await send(desired.revision, status);
  }
  // A twin that is no longer there must not leave an open status behind on this commit.
  for (const status of shown) {
    if (!isOpen(status) || wanted.some(({ name }) => name === status.name)) continue;
    await send(desired.revision, { ...status, state: "canceled", description: "no longer wanted" });
  }
  // A remark about the repository that no longer holds; a failure does not pass without another commit.
  const remark = shown.find(({ name, state }) => name === repositoryStatus && state === "success");
  const isOver = remark !== undefined && !wanted.some(({ name }) => name === repositoryStatus);
  if (isOver) await send(desired.revision, { ...remark, description: "shared assets are seen as they are" });
  if (isOver || isNews || before?.commit !== desired.revision) {
    await writeJsonAtomic(path, { commit: desired.revision, statuses: wanted } satisfies Reported);
  }
}

/** Lost, it costs a few statuses that are said twice. */
function checkReported(value: unknown, path: string): Reported {
  const { commit, statuses } = (value ?? {}) as Partial<Reported>;
  const areStatuses = Array.isArray(statuses) && statuses.every((status) => typeof status?.name === "string");
  if (typeof commit === "string" && areStatuses) return value as Reported;
  throw new ActionNeededError("DOCUMENT_INVALID", `${path} is no list of statuses`);
}

function isOurs(status: CommitStatus): boolean {
  return status.name === repositoryStatus || status.name.startsWith(`${repositoryStatus}/`);
}

function isOpen(status: Pick<TwinStatus, "state">): boolean {
  return status.state === "pending" || status.state === "running";
}

function isSame(a: TwinStatus, b: TwinStatus): boolean {
  return a.name === b.name && a.state === b.state && a.description === b.description;
}
