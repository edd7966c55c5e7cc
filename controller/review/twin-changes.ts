import type { Change } from "#planning/plan-changes";
import type { DesiredState, DesiredTwin, View } from "#schemas/desired-state";
import type { WorkspaceImage } from "#schemas/twin-spec";

/** What a proposal does to one twin. */
export interface TwinChange {
  user: string;
  twin: string;
  action: Change["action"];
  reason: string;
  /** What of it is another: `parameters`, `its folder`, an asset's path. */
  parts: string[];
}

interface Plan {
  user: string;
  before: DesiredState | undefined;
  after: { twins: readonly DesiredTwin[]; view: View };
  changes: readonly Change[];
  changesAnyway: readonly Change[];
}

/** Twins to which something else happens than without the proposal; `staying`: how many stay as they are. Pure. */
export function twinChanges(plan: Plan): { changes: TwinChange[]; staying: number } {
  const anyway = new Map(plan.changesAnyway.map((change) => [change.twin, change]));
  const before = new Map((plan.before?.twins ?? []).map((twin) => [twin.name, twin]));
  const after = new Map(plan.after.twins.map((twin) => [twin.name, twin]));
  const changes: TwinChange[] = [];
  for (const { twin, action, reason } of plan.changes) {
    const [old, now] = [before.get(twin), after.get(twin)];
    const same = anyway.get(twin);
    const isSame = same?.action === action && same.reason === reason && old?.sourceKey === now?.sourceKey;
    if (isSame && isSameAccess(old, now)) continue;
    const parts = old && now ? changedParts(old, now, plan) : [];
    changes.push({ user: plan.user, twin, action, reason, parts });
  }
  const staying = plan.changes.length - changes.length;
  for (const twin of before.keys()) {
    if (plan.changes.some((change) => change.twin === twin)) continue;
    const reason = "its folder is gone";
    changes.push({ user: plan.user, twin, action: "remove", reason, parts: [] }); // nobody has seen it run
  }
  return { changes, staying };
}

function isSameAccess(old: DesiredTwin | undefined, now: DesiredTwin | undefined): boolean {
  const told = (twin: DesiredTwin | undefined) =>
    JSON.stringify([twin?.state, twin?.suspend, twin?.spec.secrets, twin?.schedule]);
  return told(old) === told(now);
}

/** Fields of the spec by name, its declared assets by path, and the folder where nothing else explains a new source key. */
function changedParts(old: DesiredTwin, now: DesiredTwin, plan: Plan): string[] {
  const names = new Set([...Object.keys(old.spec), ...Object.keys(now.spec)]) as Set<
    keyof DesiredTwin["spec"]
  >;
  const fields = [...names].filter(
    (name) => JSON.stringify(old.spec[name]) !== JSON.stringify(now.spec[name]),
  );
  const isOther = (name: "state" | "suspend" | "schedule") =>
    JSON.stringify(old[name]) !== JSON.stringify(now[name]);
  const beside = (["state", "suspend", "schedule"] as const).filter(isOther);
  const changed = new Set(
    changedAssets(plan.before?.view, plan.after.view).map(({ path }) => `common/${path}`),
  );
  const assets = now.spec.assets.map(({ path }) => path).filter((path) => changed.has(sharedAsset(path)));
  const parts = [...fields, ...beside, ...assets].sort();
  return parts.length > 0 || old.sourceKey === now.sourceKey ? parts : ["its folder or its own assets"];
}

/** `common/models/tank` of `common/models/tank/tank.py`. */
function sharedAsset(path: string): string {
  return path.split("/").slice(0, 3).join("/");
}

export interface AssetChange {
  /** Like `models/tank`. */
  path: string;
  change: "new" | "changed" | "gone" | "from another repository";
  /** The project that gives it, or gave it. */
  from: string;
}

/** What a user finds at /workspace/common, before and after. Nothing is said where nothing is known of before. Pure. */
export function changedAssets(before: View | undefined, after: View): AssetChange[] {
  if (before === undefined) return [];
  const old = new Map(before.assets.map((asset) => [asset.path, asset]));
  const found = after.assets.flatMap((asset): AssetChange[] => {
    const was = old.get(asset.path);
    old.delete(asset.path);
    const from = after.sources[asset.from]?.project ?? "";
    if (!was) return [{ path: asset.path, change: "new", from }];
    if (before.sources[was.from]?.project !== from)
      return [{ path: asset.path, change: "from another repository", from }];
    return was.id === asset.id ? [] : [{ path: asset.path, change: "changed", from }];
  });
  for (const { path, from } of old.values()) {
    found.push({ path, change: "gone", from: before.sources[from]?.project ?? "" });
  }
  return found.sort((a, b) => (a.path < b.path ? -1 : 1));
}

export interface ImageChange {
  twin: string;
  before: WorkspaceImage | undefined;
  after: WorkspaceImage;
}

/** Twins that run in another image, or in one for the first time. Pure. */
export function imageChanges(plan: Pick<Plan, "before" | "after">): ImageChange[] {
  return plan.after.twins.flatMap(({ name, spec: { workspace: after } }) => {
    const before = plan.before?.twins.find((twin) => twin.name === name)?.spec.workspace;
    return JSON.stringify(before) === JSON.stringify(after) ? [] : [{ twin: name, before, after }];
  });
}
