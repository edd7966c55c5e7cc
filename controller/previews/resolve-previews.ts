import { ActionNeededError } from "#core/errors";
import type { DesiredState, PinnedSnapshot, View } from "#schemas/desired-state";
import { maxDocumentBytes } from "#schemas/limits";
import type { WantedPreview } from "#schemas/previews";
import type { PlatformDocument } from "#schemas/twin-spec";
import { type ValidatedTwin, validateRepository } from "#schemas/validate-repository";
import { GitReader } from "../assets/git-reader.ts";
import type { Mirrors } from "../assets/mirrors.ts";
import { assetList, type ViewPart } from "../reconcile/asset-list.ts";
import { otherTwins } from "../reconcile/reconcile-user.ts";
import { treeIds } from "../reconcile/repository-reading.ts";
import { sourceKey } from "../reconcile/source-key.ts";

// Twins of one merge request that are previewed; whoever changes more names those that matter.
const maxTwins = 10;

export interface ResolveDeps {
  mirrors: Mirrors;
  desired: { get(user: string): DesiredState | undefined; all(): DesiredState[] };
  tracked: {
    project(path: string): { id: number; path: string } | undefined;
    platform: PlatformDocument | undefined;
  };
  templates: readonly string[];
}

export interface PreviewSource {
  user: string;
  /** The user's own repository, as the previews see it. */
  own: { project: { id: number; path: string }; commit: string };
  /** A shared repository as a merge request has it, in place of what the live twins see of it. */
  instead?: PinnedSnapshot;
  /** Only these; default: all that changed and have `preview:`. */
  twins?: readonly string[];
}

export interface Resolved {
  previews: Omit<WantedPreview, "commit" | "attempt" | "wantedAt">[];
  refused: { name: string; reason: string }[];
}

/**
 * What the previews of one user's twins are made of, read from Git as the live twins are: validated, with the same defaults, and
 * with shared assets at the commits that the live twins see. `ActionNeededError` or `TryLaterError` when the repository cannot be
 * read.
 */
export async function resolvePreviews(deps: ResolveDeps, source: PreviewSource): Promise<Resolved> {
  const { user } = source;
  const before = deps.desired.get(user);
  const own = await GitReader.open(deps.mirrors, source.own.project.id, source.own.commit);
  const parts = await sharedParts(deps, before?.view, source.instead);
  const pinned = { project: source.own.project.path, commit: source.own.commit };
  const common = assetList({ pinned, tree: own }, parts, []);
  const validated = await validateRepository({
    user,
    tree: own,
    read: (path) => own.read(path, maxDocumentBytes + 1),
    common: common.tree,
    platform: deps.tracked.platform,
    templates: deps.templates,
    otherTwins: otherTwins(deps.desired, user),
  });
  const base = await openBase(deps, source, before);
  const shared = parts.map(({ pinned: { project, commit } }) => ({ project, commit }));
  const resolved: Resolved = { previews: [], refused: [] };
  for (const { name, twin } of chosen(validated.twins, source.twins)) {
    const problem = problemOf(twin);
    if (problem !== undefined) {
      if (source.twins) resolved.refused.push({ name, reason: problem });
      continue;
    }
    const preview = twin?.document && previewOf(twin, { pinned, shared, own, common: common.tree });
    if (!preview) continue;
    const live = before?.twins.find((candidate) => candidate.name === name);
    const file = `digital_twins/${name}/dt.yaml`;
    const isSame = live?.sourceKey === preview.sourceKey && base?.entry(file)?.id === own.entry(file)?.id;
    if (!source.twins && isSame) continue;
    if (resolved.previews.length < maxTwins) resolved.previews.push(preview);
    else resolved.refused.push({ name, reason: `only ${maxTwins} twins of a merge request are previewed` });
  }
  return resolved;
}

function chosen(
  twins: readonly ValidatedTwin[],
  names: readonly string[] | undefined,
): { name: string; twin: ValidatedTwin | undefined }[] {
  if (!names) return twins.map((twin) => ({ name: twin.name, twin }));
  return [...new Set(names)].map((name) => ({ name, twin: twins.find((twin) => twin.name === name) }));
}

/** Why there is no preview of it. */
function problemOf(twin: ValidatedTwin | undefined): string | undefined {
  if (!twin) return "there is no such twin in the merge result";
  const error = twin.diagnostics.find(({ severity }) => severity === "error");
  if (error) return `${error.file}:${error.line}:${error.column}: ${error.message}`;
  if (!twin.document?.preview) return "its dt.yaml has no `preview`";
  return undefined;
}

/** What of a spec gets into a preview, by name: what the language gains does not follow by itself. */
function previewOf(
  { name, document }: ValidatedTwin,
  from: {
    pinned: PinnedSnapshot;
    shared: PinnedSnapshot[];
    own: GitReader;
    common: ReturnType<typeof assetList>["tree"];
  },
): Resolved["previews"][number] | undefined {
  if (!document?.preview) return undefined;
  const { spec, preview } = document;
  const { operations, durationMs, ttlMs, compare } = preview;
  return {
    ...{ name, durationMs, ttlMs, compare },
    operations: operations.flatMap((operation) => {
      const command = spec.lifecycle[operation];
      return command ? [{ name: operation, ...command }] : [];
    }),
    sourceKey: sourceKey({ name, spec }, treeIds(from.own), treeIds(from.common)),
    own: from.pinned,
    shared: from.shared,
    workspace: spec.workspace,
    ...(spec.parameters === undefined ? {} : { parameters: spec.parameters }),
    environment: spec.environment,
    resources: spec.resources,
  };
}

/** The shared repositories of the user's view at its commits, one of them as the merge request has it. */
async function sharedParts(
  deps: ResolveDeps,
  view: View | undefined,
  instead: PinnedSnapshot | undefined,
): Promise<ViewPart[]> {
  const parts: ViewPart[] = [];
  for (const { project: path, commit: seen, folder } of view?.sources ?? []) {
    if (folder !== undefined) continue;
    const project = deps.tracked.project(path);
    if (!project) {
      throw new ActionNeededError("NO_PREVIEW_THERE", `the shared repository ${path} is not there any more`);
    }
    const commit = instead?.project === path ? instead.commit : seen;
    parts.push({
      pinned: { project: path, commit },
      tree: await GitReader.open(deps.mirrors, project.id, commit),
    });
  }
  return parts;
}

/** The repository as the live twins were read from it; `undefined` where that cannot be seen: everything is new then. */
async function openBase(
  deps: ResolveDeps,
  source: PreviewSource,
  before: DesiredState | undefined,
): Promise<GitReader | undefined> {
  if (!before || !/^[0-9a-f]{40,64}$/.test(before.revision)) return undefined;
  try {
    return await GitReader.open(deps.mirrors, source.own.project.id, before.revision);
  } catch (error) {
    if (error instanceof ActionNeededError) return undefined;
    throw error;
  }
}
