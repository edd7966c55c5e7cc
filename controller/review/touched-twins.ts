import type { Change } from "#planning/plan-changes";
import type { DesiredState } from "#schemas/desired-state";
import { fullTwinName } from "#schemas/normalise-twin";
import { accessLevels } from "../auth/decide.ts";
import type { Forge, ForgeProject } from "../forge/forge.ts";
import type { TwinChange } from "./twin-changes.ts";

const maxAskedUsers = 50; // each costs a question to the host; twins of further ones are counted

/** A twin of another user than the one whose repository is changed, and what happens to it. */
export interface TouchedTwin {
  user: string;
  twin: string;
  /** One sentence; names of the other user's things between back-ticks. */
  what: string;
}

const ends: readonly Change["action"][] = ["restart", "stop", "remove", "refuse"];

/** Twins of others that depend on a twin which does not simply go on. Pure. */
export function dependents(changes: readonly TwinChange[], others: readonly DesiredState[]): TouchedTwin[] {
  const ended = new Map(
    changes
      .filter(({ action }) => ends.includes(action))
      .map((change) => [`${change.user}/${change.twin}`, change]),
  );
  return others.flatMap(({ user, twins }) =>
    twins.flatMap(({ name, spec }): TouchedTwin[] => {
      const on = spec.dependsOn.map((target) => ended.get(fullTwinName(target, user))).find(Boolean);
      if (!on || on.user === user) return [];
      return [{ user, twin: name, what: `depends on \`${on.twin}\`: ${on.action}` }];
    }),
  );
}

/** What happens to twins of others, as far as it concerns them. Pure. */
export function touchedBy(changes: readonly TwinChange[]): TouchedTwin[] {
  return changes.flatMap(({ user, twin, action, reason }) =>
    action === "keep" || action === "wait" ? [] : [{ user, twin, what: `${action}: ${reason}` }],
  );
}

export interface NamedTwins {
  named: TouchedTwin[];
  /** Those that not everybody who reads the merge request may see. */
  unnamed: number;
}

/**
 * Which of these twins may be named in a comment on this project: those of users whose twins each of its members may see.
 * In a project that others than members see, none.
 */
export async function nameable(
  forge: Pick<Forge, "isPrivate" | "members">,
  where: { project: ForgeProject; group: string },
  touched: readonly TouchedTwin[],
): Promise<NamedTwins> {
  if (touched.length === 0) return { named: [], unnamed: 0 };
  const { project, group } = where;
  const readers = (await forge.isPrivate(project))
    ? await forge.members({ project: project.path })
    : undefined;
  if (readers === undefined) return { named: [], unnamed: touched.length };
  const admins = await forge.members({ project: `${group}/platform` });
  const sees = new Map<string, boolean>();
  for (const user of [...new Set(touched.map((twin) => twin.user))].slice(0, maxAskedUsers)) {
    const members = (await forge.members({ project: `${group}/${user}` })) ?? [];
    const may = new Set([
      ...members
        .filter(({ accessLevel }) => accessLevel >= accessLevels.reporter)
        .map(({ username }) => username),
      ...(admins ?? [])
        .filter(({ accessLevel }) => accessLevel >= accessLevels.maintainer)
        .map(({ username }) => username),
    ]);
    sees.set(
      user,
      readers.every(({ username }) => may.has(username)),
    );
  }
  const named = touched.filter(({ user }) => sees.get(user) === true);
  return { named, unnamed: touched.length - named.length };
}
