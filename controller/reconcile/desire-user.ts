import type { DesiredState, DesiredTwin, PinnedSnapshot, RefusedTwin, View } from "#schemas/desired-state";
import type { Diagnostic } from "#schemas/diagnostic";
import type { TwinDocument } from "#schemas/twin-spec";
import { assetProjects } from "./asset-list.ts";
import { sourceKey, type TreeIds } from "./source-key.ts";

/** One twin folder at the head revision: its document, or what is wrong with it. */
export interface TwinAtHead {
  name: string;
  /** Absent when an error stands in the diagnostics. */
  document?: TwinDocument;
  diagnostics: readonly Diagnostic[];
}

export interface UserAtHead {
  user: string;
  project: { id: number; path: string };
  revision: string;
  twins: readonly TwinAtHead[];
  own: TreeIds;
  /** What /workspace/common shows. */
  common?: { view: View; tree: TreeIds };
}

/**
 * The desired state that follows from a revision and the one before. A twin whose source key is unchanged stays pinned
 * to the commit it was checked out from; a broken twin stays as it was when it was last good. Pure.
 */
export function desireUser(
  head: UserAtHead,
  before: DesiredState | undefined,
): Pick<DesiredState, "twins" | "refused"> {
  const shared = sharedPins(head.common?.view);
  const twins: DesiredTwin[] = [];
  const refused: RefusedTwin[] = [];
  for (const twin of head.twins) {
    const last = before?.twins.find((candidate) => candidate.name === twin.name);
    const errors = twin.diagnostics.filter((diagnostic) => diagnostic.severity === "error");
    if (!twin.document || errors.length > 0) {
      const broken = { revision: head.revision, diagnostics: [...errors] };
      if (last) twins.push({ ...stillAllowed(last, shared), brokenSince: broken });
      else refused.push({ name: twin.name, ...broken });
      continue;
    }
    twins.push(desireTwin(head, twin.name, twin.document, last));
  }
  return { twins, refused };
}

function desireTwin(
  head: UserAtHead,
  name: string,
  document: TwinDocument,
  last: DesiredTwin | undefined,
): DesiredTwin {
  const { metadata, derived, state, suspend, schedule, spec } = document;
  const key = sourceKey({ name, spec }, head.own, head.common?.tree);
  const { view } = head.common ?? {};
  const assetsFrom = view ? assetProjects(view, spec.assets) : [];
  const described = {
    ...{ name, metadata, derived, state, suspend, spec, sourceKey: key, shared: sharedPins(view) },
    ...(assetsFrom.length > 0 ? { assetsFrom } : {}),
    ...(schedule === undefined ? {} : { schedule }),
  };
  if (last?.sourceKey === key) {
    const { revision, own } = last;
    return { ...described, revision, own };
  }
  return {
    ...described,
    revision: head.revision,
    own: { project: head.project.path, commit: head.revision },
  };
}

/** Shared repositories of a view, without the user's own. */
function sharedPins(view: View | undefined): PinnedSnapshot[] {
  return (view?.sources ?? []).flatMap(({ project, commit, folder }) =>
    folder === undefined ? [{ project, commit }] : [],
  );
}

/**
 * A twin as it was last, as far as its user may still read what it sees. One that declares an asset of a repository that
 * was taken away is withheld.
 */
export function stillAllowed(last: DesiredTwin, readable: readonly PinnedSnapshot[]): DesiredTwin {
  const { withheld: _, ...twin } = last;
  const isReadable = (project: string) => readable.some((pinned) => pinned.project === project);
  const lost = (twin.assetsFrom ?? []).filter((project) => !isReadable(project));
  const shared = (twin.shared ?? []).filter(({ project }) => isReadable(project));
  const reason = `its user may not read ${lost.join(", ")} any more, which it declares assets of`;
  return { ...twin, shared, ...(lost.length > 0 ? { withheld: { reason } } : {}) };
}

/** Do the two documents ask for the same? Times and generation apart. */
export function isSameDesire(a: DesiredState, b: DesiredState): boolean {
  const essence = ({ generation: _generation, writtenAt: _writtenAt, ...rest }: DesiredState) =>
    JSON.stringify(rest);
  return essence(a) === essence(b);
}
