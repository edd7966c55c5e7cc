import type { ForgeContext } from "../../forge-context.ts";
import { isBranchName, isObjectId } from "../../git/ref-name.ts";
import type { ProjectRecord } from "../../store/records.ts";
import { IncludeRefused } from "./include-refused.ts";

const maxRefs = 1_000; // of a project whose component is included

export interface KnownRef {
  id: string;
  name: string;
}

/** `host[:port]/<project path>/<name>@<ref>`. */
export function componentOf(address: string): { host: string; path: string; name: string; ref: string } {
  const match = /^([^/\s]+)\/([^@\s]+)\/([\w.-]+)@([^@\s]+)$/.exec(address);
  const [, host = "", path = "", name = "", ref = ""] = match ?? [];
  const isGood = ref === "~latest" || isBranchName(ref);
  if (
    !match ||
    !isGood ||
    name.startsWith(".") ||
    path.split("/").some((part) => !/^\w[\w.-]*$/.test(part))
  ) {
    throw new IncludeRefused(`${JSON.stringify(address)} is no address of a component`);
  }
  return { host, path, name, ref };
}

/** Branches and tags; of an annotated tag its commit, too (`^{}`), as `git ls-remote` tells. */
export async function refsOf(context: ForgeContext, project: ProjectRecord): Promise<KnownRef[]> {
  const listed = await context.git.text(context.repositories.path(project.id), [
    "for-each-ref",
    `--count=${maxRefs}`,
    "--format=%(objectname) %(refname) %(*objectname)",
    "refs/heads",
    "refs/tags",
  ]);
  return listed.split("\n").flatMap((line) => {
    const [id = "", name = "", peeled = ""] = line.split(" ");
    if (!isObjectId(id)) return [];
    return [{ id, name }, ...(isObjectId(peeled) ? [{ id: peeled, name: `${name}^{}` }] : [])];
  });
}

/** What a component's ref stands for: the newest tag of `~latest`, `1` or `1.2`, or itself. `undefined` for no such version. */
export function versionOf(ref: string, refs: readonly KnownRef[]): string | undefined {
  if (ref !== "~latest" && !/^\d+(\.\d+)?$/.test(ref)) return ref;
  const wanted = ref === "~latest" ? [] : ref.split(".").map(Number);
  const versions = refs.flatMap(({ name }) => {
    const match = /^refs\/tags\/(v?(\d+)\.(\d+)\.(\d+))$/.exec(name);
    return match ? [{ tag: match[1] ?? "", parts: match.slice(2).map(Number) }] : [];
  });
  const fitting = versions.filter(({ parts }) => wanted.every((part, at) => parts[at] === part));
  fitting.sort((a, b) => newerFirst(a.parts, b.parts));
  return fitting[0]?.tag;
}

function newerFirst(a: readonly number[], b: readonly number[]): number {
  for (const [at, part] of a.entries()) {
    const other = b[at] ?? 0;
    if (part !== other) return other - part;
  }
  return 0;
}
