import { maxSecretBytes } from "#schemas/limits";
import type { SecretProblem } from "#schemas/secret-diagnostic";
import type { SecretReference } from "#schemas/twin-spec";
import type { ForgeVariable, ListedVariables } from "../forge/forge.ts";

/** A file `secrets/<name>.age` of the repository. */
export type SecretFile =
  | { kind: "sealed"; sealedText: string; contentId: string }
  | { kind: "broken"; reason: string };

/** Everywhere a project's secrets can come from, as read at one moment. */
export interface SecretSources {
  /** Full path of the project, and its default branch. */
  project: string;
  branch: string;
  variables: ListedVariables | "forbidden";
  /** By name of the secret; those that are there. */
  files: ReadonlyMap<string, SecretFile>;
  /** Whether there is a runner to seal for. */
  hasKey: boolean;
}

export type ResolvedSecret =
  | { kind: "value"; variable: ForgeVariable; value: string }
  | { kind: "file"; sealedText: string; contentId: string }
  | { kind: "problem"; problem: SecretProblem };

/** The environment of the Git host that a twin counts as: variables are scoped by it. */
export function environmentOf(twin: string): string {
  return `dtaas/${twin}`;
}

export function secretFile(name: string): string {
  return `secrets/${name}.age`;
}

/**
 * Where one secret of a twin comes from, or why it has no value. A file of the repository counts before a variable: it
 * is what was reviewed. Of variables the project's own count before those of groups, the nearest group first, and
 * among those of one place the narrowest scope. Pure.
 */
export function resolveSecret(
  { name, env }: SecretReference,
  twin: string,
  sources: SecretSources,
): ResolvedSecret {
  const because = (problem: SecretProblem): ResolvedSecret => ({ kind: "problem", problem });
  if (!sources.hasKey) return because({ kind: "no-key" });
  const file = sources.files.get(name);
  if (file?.kind === "sealed") return { ...file, kind: "file" };
  if (file) return because({ kind: "file-broken", file: secretFile(name), reason: file.reason });
  const { variables } = sources;
  if (variables === "forbidden") return because({ kind: "unreadable", project: sources.project });
  const named = variables.variables.filter((variable) => variable.key === name);
  if (named.length === 0) {
    const known = [...sources.files.keys(), ...variables.variables.map(({ key }) => key)];
    return because({ kind: "missing", known, unreadable: variables.unreadable });
  }
  const variable = choose(named, environmentOf(twin));
  if (!variable) {
    const scopes = [...new Set(named.map(({ scope }) => scope))];
    return because({ kind: "elsewhere", scopes, environment: environmentOf(twin) });
  }
  if (variable.protected && !variables.defaultBranchIsProtected) {
    return because({ kind: "protected", branch: sources.branch });
  }
  const { value } = variable;
  if (value === undefined) return because({ kind: "hidden" });
  const bytes = Buffer.byteLength(value);
  if (bytes > maxSecretBytes) return because({ kind: "too-large", bytes, limit: maxSecretBytes });
  if (env && variable.kind === "variable" && value.includes("\0"))
    return because({ kind: "not-environment" });
  return { kind: "value", variable, value };
}

/** The variable that holds in an environment. They come nearest first; of one place the narrowest scope wins. */
function choose(variables: readonly ForgeVariable[], environment: string): ForgeVariable | undefined {
  const fitting = variables.filter(({ scope }) => matchesScope(scope, environment));
  const [nearest] = fitting;
  return fitting
    .filter(({ of }) => of === nearest?.of)
    .sort((a, b) => narrowness(b.scope, environment) - narrowness(a.scope, environment))[0];
}

/** Whether a scope takes in an environment: `*` stands for any characters, none included. */
export function matchesScope(scope: string, environment: string): boolean {
  const [first = "", ...rest] = scope.split("*");
  if (rest.length === 0) return scope === environment;
  const last = rest.pop() ?? "";
  if (!environment.startsWith(first)) return false;
  let at = first.length;
  for (const part of rest) {
    const found = environment.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return environment.length - last.length >= at && environment.endsWith(last);
}

function narrowness(scope: string, environment: string): number {
  return scope === environment ? Number.POSITIVE_INFINITY : scope.replaceAll("*", "").length;
}
