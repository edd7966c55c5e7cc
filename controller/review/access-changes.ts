import type { DesiredTwin } from "#schemas/desired-state";
import type { PlatformDocument } from "#schemas/twin-spec";

/**
 * What a proposal lets anybody reach, see or do that was not so before, each in one sentence with users' words between
 * back-ticks. Narrower access is no finding. Pure.
 */
export function wideningOfTwins(before: readonly DesiredTwin[], after: readonly DesiredTwin[]): string[] {
  return after.flatMap((twin) => {
    const old = before.find(({ name }) => name === twin.name);
    const found: string[] = [];
    for (const { name } of twin.spec.secrets ?? []) {
      if (!old?.spec.secrets?.some((secret) => secret.name === name))
        found.push(`the twin \`${twin.name}\` is handed the secret \`${name}\``);
    }
    const level = twin.spec.integrationLevel;
    if (level === "twin" && old !== undefined && old.spec.integrationLevel !== "twin") {
      found.push(`\`${twin.name}\` may act on its physical twin: it was a ${old.spec.integrationLevel}`);
    }
    const gained = (twin.shared ?? []).filter(
      ({ project }) => old?.shared && !old.shared.some((shared) => shared.project === project),
    );
    for (const { project } of gained)
      found.push(`\`${twin.name}\` sees the shared repository \`${project}\``);
    return found;
  });
}

/** The same of the rules of the whole platform. Pure. */
export function wideningOfPlatform(before: PlatformDocument | undefined, after: PlatformDocument): string[] {
  const found: string[] = [];
  for (const { project, groups } of after.shared) {
    const old = before?.shared.find((shared) => shared.project === project);
    if (!old) found.push(`the shared repository \`${project}\` is shown to whoever may read it`);
    for (const group of groups) {
      if (!old?.groups.includes(group))
        found.push(`members of the group \`${group}\` see the shared repository \`${project}\``);
    }
  }
  for (const image of after.workspaces?.images ?? []) {
    if (!before?.workspaces?.images.includes(image))
      found.push(`workspaces may use images like \`${image}\``);
  }
  found.push(...wideningOfRemotes(before?.remotes, after.remotes));
  for (const limit of ["twins", "cpus", "memoryBytes"] as const) {
    const [was, is] = [before?.limits?.perUser[limit], after.limits?.perUser[limit]];
    if (was !== undefined && (is === undefined || is > was))
      found.push(`each user's limit of ${limitWords[limit]} rises from ${was} to ${is ?? "none"}`);
  }
  return found;
}

const limitWords = { twins: "twins", cpus: "processors", memoryBytes: "memory in bytes" } as const;

function wideningOfRemotes(
  before: PlatformDocument["remotes"],
  after: PlatformDocument["remotes"],
): string[] {
  const found: string[] = [];
  const [were, are] = [before?.hosts, after?.hosts];
  if (were !== undefined && are === undefined)
    found.push("users may name remotes on every host of the open internet");
  for (const host of are ?? []) {
    if (were !== undefined && !were.includes(host)) found.push(`users may name remotes on \`${host}\``);
  }
  for (const host of after?.private ?? []) {
    if (!before?.private?.includes(host))
      found.push(`users may name remotes on the private address \`${host}\``);
  }
  return found;
}
