import type { PinnedSnapshot } from "#schemas/desired-state";
import {
  isOver,
  type ObservedPreview,
  type ObservedPreviewRun,
  type ObservedPreviews,
  type WantedPreviews,
} from "#schemas/previews";
import type { PreviewScope } from "../engine/engine.ts";
import type { Runner } from "../twins/runner.ts";
import type { PreviewFiles } from "./preview-files.ts";

interface Recorder {
  runner: Pick<Runner, "tellController">;
  files: PreviewFiles;
}

/** What is said of one preview from now on; begun where nothing was said of it. Told when it is news. */
export async function recordPreview(
  recorder: Recorder,
  scope: PreviewScope,
  change: (before: ObservedPreview | undefined) => ObservedPreview | undefined,
): Promise<void> {
  const { files, runner } = recorder;
  const wanted = await files.wanted(scope);
  const seen = await files.seen(scope);
  const before = seen?.twins.find(({ name }) => name === scope.twin);
  const after = change(before);
  const others = (seen?.twins ?? []).filter(({ name }) => name !== scope.twin);
  const twins = [...others, ...(after ? [after] : [])].sort((a, b) => (a.name < b.name ? -1 : 1));
  const needs = neededBy(wanted, twins, seen?.needs ?? []);
  const next: Omit<ObservedPreviews, "observedAt"> = {
    ...{ version: 1, user: scope.user, id: scope.id, twins, needs },
  };
  if (seen && JSON.stringify([seen.twins, seen.needs]) === JSON.stringify([twins, needs])) return;
  if (twins.length === 0 && !wanted) await files.forget(scope);
  else await files.write({ ...next, observedAt: new Date().toISOString() });
  runner.tellController(scope.user);
}

/** Notes what has become of one run, or that it begins. */
export function withRun(preview: ObservedPreview, run: ObservedPreviewRun): ObservedPreview {
  const isKnown = preview.runs.some((one) => one.run === run.run);
  const runs = isKnown
    ? preview.runs.map((one) => (one.run === run.run ? run : one))
    : [...preview.runs, run];
  return { ...preview, runs };
}

/**
 * Snapshots that may not go: of what is wanted and has not ended; and as long as something of another commit is left, all that
 * was needed before, too.
 */
function neededBy(
  wanted: WantedPreviews | undefined,
  twins: readonly ObservedPreview[],
  before: readonly PinnedSnapshot[],
): PinnedSnapshot[] {
  const wishOf = ({ name, commit, attempt }: ObservedPreview) =>
    wanted?.twins.find((wish) => wish.name === name && wish.commit === commit && wish.attempt === attempt);
  const isOld = twins.some((twin) => wishOf(twin) === undefined);
  const needed = twins.flatMap((twin) => {
    const wish = wishOf(twin);
    return wish && !isOver(twin) ? [wish.own, ...wish.shared] : [];
  });
  const all = [...(isOld ? before : []), ...needed];
  return [...new Map(all.map((pinned) => [`${pinned.project} ${pinned.commit}`, pinned])).values()];
}
