import type { DesiredState, DesiredTwin } from "#schemas/desired-state";
import type { Diagnostic } from "#schemas/diagnostic";
import type { UserLimits } from "#schemas/twin-spec";
import { addUse, excess, noUse, type Use, useOf } from "#schemas/use";

export interface Admission {
  user: string;
  /** Head that was read. */
  revision: string;
  limits: UserLimits | undefined;
  /** The user's twins as they were desired before this revision. */
  before: readonly AdmittedBefore[];
  /** ISO 8601. */
  now: string;
  /** Where the resources of a twin are written. */
  locate(twin: string): Pick<Diagnostic, "file" | "line" | "column">;
}

/** A twin that was kept up before; `twin` where it can go on as it is. */
export interface AdmittedBefore {
  name: string;
  admittedAt: string;
  twin?: DesiredTwin;
}

/** Twins of a desired-state document that are kept up, within their limits. */
export function admittedBefore(document: DesiredState | undefined): AdmittedBefore[] {
  return (document?.twins ?? []).flatMap((twin) =>
    twin.admittedAt === undefined ? [] : [{ name: twin.name, admittedAt: twin.admittedAt, twin }],
  );
}

/**
 * Decides which twins may be kept up within the limits of their user. Who was kept up before comes first, the longest
 * first, then the others by name: so that the same twins are refused every time, and nobody who runs makes room for
 * somebody new. A twin that now wants more than there is goes on as it was; one that fits no longer at all says so. Pure.
 */
export function admitTwins(twins: readonly DesiredTwin[], admission: Admission): DesiredTwin[] {
  const { limits, user } = admission;
  const before = new Map(admission.before.map((entry) => [entry.name, entry]));
  const since = (name: string) => before.get(name)?.admittedAt ?? "9";
  const inOrder = twins
    .filter((twin) => twin.state === "running")
    .sort((a, b) => compare(since(a.name), since(b.name)) || compare(a.name, b.name));

  let use = noUse;
  const decided = new Map<string, DesiredTwin>();
  const take = (
    twin: DesiredTwin,
    last: AdmittedBefore | undefined,
    replaced: Use = noUse,
  ): string | undefined => {
    const wanted = addUse(addUse(use, replaced, -1), useOf(twin));
    const problem = excess(wanted, limits, user);
    if (problem !== undefined) return problem;
    use = wanted;
    decided.set(twin.name, { ...bare(twin), admittedAt: last?.admittedAt ?? admission.now });
    return undefined;
  };
  // First everybody keeps what they have; then the longest there may grow, and what is left goes to the new ones.
  for (const twin of inOrder) {
    const last = before.get(twin.name);
    if (!last) continue;
    const problem = take(last.twin ?? twin, last);
    if (problem !== undefined) decided.set(twin.name, { ...bare(twin), overLimit: problem });
  }
  for (const twin of inOrder) {
    const last = before.get(twin.name);
    const kept = decided.get(twin.name);
    if (last && kept?.overLimit === undefined) {
      const problem = take(twin, last, kept && useOf(kept));
      if (problem !== undefined && last.twin)
        decided.set(twin.name, goesOn(last.twin, twin, problem, admission));
    } else if (!last) {
      const problem = take(twin, undefined);
      if (problem !== undefined) decided.set(twin.name, { ...bare(twin), overLimit: problem });
    }
  }
  return twins.map((twin) => decided.get(twin.name) ?? bare(twin));
}

/** The twin as it was, and why it is not as the new revision asks. */
function goesOn(last: DesiredTwin, wanted: DesiredTwin, problem: string, admission: Admission): DesiredTwin {
  const { suspend, brokenSince } = wanted;
  const diagnostic: Diagnostic = {
    code: "limit-exceeded",
    severity: "error",
    ...admission.locate(wanted.name),
    message: problem,
    hint: "ask for less under `resources`, stop another twin, or ask the platform's administrator for more",
  };
  return {
    ...last,
    suspend,
    brokenSince: brokenSince ?? { revision: admission.revision, diagnostics: [diagnostic] },
  };
}

function bare(twin: DesiredTwin): DesiredTwin {
  const { admittedAt: _admittedAt, overLimit: _overLimit, ...rest } = twin;
  return rest;
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
