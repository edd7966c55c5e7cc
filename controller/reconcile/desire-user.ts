import type { DesiredState, DesiredTwin, PinnedSnapshot, RefusedTwin } from "#schemas/desired-state";
import type { Diagnostic } from "#schemas/diagnostic";
import type { TwinDocument } from "#schemas/twin-spec";
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
  common?: { pinned: PinnedSnapshot; tree: TreeIds };
}

/**
 * The desired state that follows from a revision and the one before. A twin whose source key is unchanged stays pinned
 * to the commit it was checked out from; a broken twin stays as it was when it was last good. Pure.
 */
export function desireUser(
  head: UserAtHead,
  before: DesiredState | undefined,
): Pick<DesiredState, "twins" | "refused"> {
  const twins: DesiredTwin[] = [];
  const refused: RefusedTwin[] = [];
  for (const twin of head.twins) {
    const last = before?.twins.find((candidate) => candidate.name === twin.name);
    const errors = twin.diagnostics.filter((diagnostic) => diagnostic.severity === "error");
    if (!twin.document || errors.length > 0) {
      const broken = { revision: head.revision, diagnostics: [...errors] };
      if (last) twins.push({ ...last, brokenSince: broken });
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
  const described = {
    ...{ name, metadata, derived, state, suspend, spec, sourceKey: key },
    ...(schedule === undefined ? {} : { schedule }),
  };
  if (last?.sourceKey === key) {
    const { revision, own, common } = last;
    return { ...described, revision, own, ...(common ? { common } : {}) };
  }
  return {
    ...described,
    revision: head.revision,
    own: { project: head.project.path, commit: head.revision },
    ...(head.common ? { common: head.common.pinned } : {}),
  };
}

/** Do the two documents ask for the same? Times and generation apart. */
export function isSameDesire(a: DesiredState, b: DesiredState): boolean {
  const essence = ({ generation: _generation, writtenAt: _writtenAt, ...rest }: DesiredState) =>
    JSON.stringify(rest);
  return essence(a) === essence(b);
}
