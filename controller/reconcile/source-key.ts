import { digest } from "#planning/keys";
import type { TwinSpec } from "#schemas/twin-spec";

/** What a source key needs to know of a repository at one commit. */
export interface TreeIds {
  /** Content hash of a file or folder; `undefined` where there is none. */
  id(path: string): string | undefined;
  /** Direct entries of a folder. */
  list(folder: string): readonly { path: string; id: string; executable: boolean }[];
}

// Files of a twin's folder that describe it and do not change how it runs. dt.yaml counts through its normalised spec,
// so that a comment, the title, `state` or `suspend` restarts nothing.
const describing = new Set(["dt.yaml", "readme.md", "description.md"]);

/**
 * Everything from Git that decides how a twin runs, in one hash: its normalised spec, the content of its folder, the
 * content of the assets it declares.
 */
export function sourceKey(
  twin: { name: string; spec: TwinSpec },
  own: TreeIds,
  common: TreeIds | undefined,
): string {
  const folder = `digital_twins/${twin.name}`;
  const content = own
    .list(folder)
    .filter((entry) => !describing.has(entry.path.slice(folder.length + 1).toLowerCase()))
    .map((entry) => `${entry.executable ? "x" : "-"} ${entry.id} ${entry.path}`)
    .sort();
  const assets = twin.spec.assets.map((asset) => {
    const shared = asset.path.startsWith("common/");
    const id = shared ? common?.id(asset.path.slice("common/".length)) : own.id(asset.path);
    return `${asset.path} ${id ?? "missing"}`;
  });
  return digest("source", stableJson(withoutDisk(twin.spec)), content.join("\n"), assets.sort().join("\n"));
}

/** How much a twin may write does not change how it runs: with a larger limit it goes on where it was. */
function withoutDisk(spec: TwinSpec): TwinSpec {
  const { diskBytes: _, ...resources } = spec.resources;
  return { ...spec, resources };
}

/** JSON with keys in order, so that equal values give equal text. */
function stableJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    inner !== null && typeof inner === "object" && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
