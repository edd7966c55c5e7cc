import { type AdmittedBefore, admitTwins } from "#controller/reconcile/admit-twins";
import { desireUser } from "#controller/reconcile/desire-user";
import type { TreeIds } from "#controller/reconcile/source-key";
import { ActionNeededError, TryLaterError } from "#core/errors";
import { type Change, planChanges } from "#planning/plan-changes";
import type { Items, PlanView, TwinView } from "#schemas/api";
import type { ObservedState } from "#schemas/observed-state";
import type { RepositoryTree } from "#schemas/repository-tree";
import type { ApiClient } from "../api/api-client.ts";
import { type FolderToValidate, validateFolder } from "../validate/validate-folder.ts";

export interface LocalPlan {
  user: string;
  changes: Change[];
  observedAt: string | null;
  observedAgeMs: number | null;
  /** Folders beside the repository that were looked at, too. */
  neighbours: { common: string[]; platform: string | null };
  /** Why it could not be compared with what runs. */
  unreachable: string | null;
}

/** What pushing a folder would do to the user's twins, by the platform's last observation where it can be had. */
export async function planFolder(
  folder: FolderToValidate,
  connect: () => Promise<ApiClient>,
): Promise<LocalPlan> {
  const { result, tree, common, neighbours, platform } = await validateFolder(folder);
  const desire = desireUser(
    {
      user: folder.user,
      project: { id: 0, path: folder.user },
      revision: "working tree",
      twins: result.twins,
      own: treeIds(tree),
      ...(common ? { common: { view: noView, tree: treeIds(common) } } : {}),
    },
    undefined,
  );
  const seen = await observe(folder.user, connect);
  const views = new Map(seen.twins.map((twin) => [twin.name, twin]));
  const now = new Date().toISOString();
  const desired = {
    ...desire,
    twins: admitTwins(desire.twins, {
      ...{ user: folder.user, revision: "working tree", limits: platform?.limits?.perUser, now },
      before: keptUp(seen.twins, now),
      locate: (name) => ({ file: `digital_twins/${name}/dt.yaml`, line: 1, column: 1 }),
    }),
  };
  const { changes } = planChanges(desired, seen.observed);
  const usesShared = new Set(
    desired.twins
      .filter((twin) => twin.spec.assets.some(({ path }) => path.startsWith("common/")))
      .map(({ name }) => name),
  );
  return {
    user: folder.user,
    changes: changes.map((change) => {
      const isOver = desired.twins.some((twin) => twin.name === change.twin && twin.overLimit !== undefined);
      const runsOn =
        change.action === "refuse" && !isOver && (views.get(change.twin)?.state ?? null) !== null;
      if (runsOn)
        return { ...change, action: "keep", reason: `broken, so the last good one stays: ${change.reason}` };
      const isUnsure = change.action === "restart" && !common && usesShared.has(change.twin);
      if (!isUnsure) return change;
      return {
        ...change,
        reason: `${change.reason}; or nothing: it uses common/, which --common would compare`,
      };
    }),
    neighbours,
    observedAt: seen.observedAt,
    observedAgeMs: seen.observedAt === null ? null : Date.now() - Date.parse(seen.observedAt),
    unreachable: seen.unreachable,
  };
}

/** Twins that are kept up now come before others when not all fit. */
function keptUp(views: readonly TwinView[], now: string): AdmittedBefore[] {
  return views
    .filter(({ state, phase }) => state === "running" && phase !== "refused")
    .map(({ name, since }) => ({ name, admittedAt: since ?? now }));
}

// Which repository gives which asset does not matter for what restarts.
const noView = { sources: [], assets: [], hidden: [], problems: [] };

interface Seen {
  twins: TwinView[];
  observed: ObservedState | undefined;
  observedAt: string | null;
  unreachable: string | null;
}

async function observe(user: string, connect: () => Promise<ApiClient>): Promise<Seen> {
  try {
    const api = await connect();
    const { items } = await api.get<Items<TwinView>>(`/twins?user=${encodeURIComponent(user)}`);
    if (items.length === 0) return { twins: [], observed: undefined, observedAt: null, unreachable: null };
    const { observedAt } = await api.get<PlanView>(`/users/${encodeURIComponent(user)}/plan`);
    return { twins: items, observed: asObserved(user, items, observedAt), observedAt, unreachable: null };
  } catch (error) {
    const isAway =
      error instanceof TryLaterError ||
      (error instanceof ActionNeededError && ["API_UNREACHABLE", "NOT_CONFIGURED"].includes(error.code));
    if (!isAway) throw error;
    return { twins: [], observed: undefined, observedAt: null, unreachable: error.message };
  }
}

/** What the runner had observed, as far as the API tells it. */
function asObserved(
  user: string,
  views: readonly TwinView[],
  observedAt: string | null,
): ObservedState | undefined {
  if (observedAt === null) return undefined;
  const twins = views.flatMap(({ name, phase, since, restarts, sourceKey, revision, reason }) => {
    if (since === null) return []; // wanted, and not looked at yet
    return [
      {
        name,
        phase,
        since,
        restarts,
        ...(sourceKey === null ? {} : { sourceKey }),
        ...(revision === null ? {} : { revision }),
        ...(reason === null ? {} : { reason }),
      },
    ];
  });
  return { version: 1, user, generation: 0, observedAt, twins, needs: [] };
}

/** A tree as source keys are made from it. */
export function treeIds(tree: RepositoryTree): TreeIds {
  return {
    id: (path) => tree.entry(path)?.id,
    list: (folder) =>
      tree.list(folder).flatMap((name) => {
        const path = `${folder}/${name}`;
        const entry = tree.entry(path);
        return entry ? [{ path, id: entry.id, executable: entry.executable }] : [];
      }),
  };
}
