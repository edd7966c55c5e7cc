import { messageOf } from "#core/errors";
import { isUnreadable } from "#core/read-or-set-aside";
import type { ImageFact } from "#planning/facts";
import type { PreviewFacts } from "#planning/plan-preview";
import { type PreviewInLine, previewsWithoutRoom } from "#planning/preview-room";
import {
  isOver,
  type ObservedPreview,
  type ObservedPreviews,
  type WantedPreview,
  type WantedPreviews,
} from "#schemas/previews";
import { isAskedFor } from "#schemas/run";
import type { Container, PreviewContainers, PreviewScope } from "../engine/engine.ts";
import { readableProjects } from "../mounts/view-mounts.ts";
import { parsePreviewLayerId, previewLayerId } from "../twins/names.ts";
import { containerFact } from "../twins/observe.ts";
import type { Runner } from "../twins/runner.ts";
import type { PreviewFiles } from "./preview-files.ts";

export const unsupported =
  "previews need a container engine: here twins run as processes, which are not kept apart from each other";

/** What the engine shows of all previews. */
export interface PreviewRemains {
  containers: Container[];
  networks: PreviewScope[];
  /** Layers by id, with whose they are. */
  layers: { layer: string; scope: PreviewScope }[];
}

/** One preview with what is known of it. */
export interface PreviewSeen {
  scope: PreviewScope;
  wanted: WantedPreview | undefined;
  facts: PreviewFacts;
  containers: Container[];
  /** All layers of this twin's previews of this merge request. */
  layers: string[];
}

/** Asks the engine. One that does not answer is `TryLaterError`. */
export async function viewPreviews(runner: Runner, previews: PreviewContainers): Promise<PreviewRemains> {
  const [containers, networks, layers] = await Promise.all([
    previews.list(),
    previews.listNetworks(),
    runner.engine.layers.list(),
  ]);
  return {
    containers,
    networks,
    layers: layers.flatMap((layer) => {
      const scope = parsePreviewLayerId(layer);
      return scope ? [{ layer, scope }] : [];
    }),
  };
}

/** Whoever has anything of a preview in the engine. */
export function ownersOf({ containers, networks, layers }: PreviewRemains): string[] {
  return [
    ...containers.map(({ labels }) => labels.user),
    ...networks.map(({ user }) => user),
    ...layers.map(({ scope }) => scope.user),
  ];
}

/** Everything known of one user's previews at one moment, in the order in which they were asked for. */
export async function factsOfPreviews(
  runner: Runner,
  files: PreviewFiles,
  user: string,
  remains: PreviewRemains,
): Promise<PreviewSeen[]> {
  const desired = await runner.desired.get(user);
  const readable = readableProjects(desired);
  const mine = ofUser(user, remains);
  const found: PreviewSeen[] = [];
  for (const id of new Set([...(await files.ids(user)), ...mine.ids])) {
    let wanted: WantedPreviews | undefined;
    try {
      wanted = await files.wanted({ user, id });
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      runner.logger.warn({ user, id, err: messageOf(error) }, "previews stay as they are");
      continue;
    }
    const seen = await files.seen({ user, id });
    for (const twin of namesOf(id, { wanted, seen }, mine)) {
      const scope = { user, id, twin };
      const wish = wanted?.twins.find(({ name }) => name === twin);
      const record = seen?.twins.find(({ name }) => name === twin);
      const containers = mine.containers.filter(
        ({ labels }) => labels.preview === id && labels.twin === twin,
      );
      const layers = mine.layers.filter((one) => isOf(one.scope, scope)).map(({ layer }) => layer);
      const facts: PreviewFacts = {
        wanted: wish,
        seen: record,
        unsupported: runner.engine.previews ? undefined : unsupported,
        image: await imageOf(runner, wish, record),
        containers: containers.map(containerFact),
        hasRemains: layers.length > 0 || mine.networks.some((network) => isOf(network, scope)),
        stopping: runner.stopping,
        readable,
        diskBytes: await diskOf(runner, scope, wish, layers),
        nowMs: Date.now(),
      };
      found.push({ scope, wanted: wish, facts, containers, layers });
    }
  }
  if (!desired) return found;
  const without = previewsWithoutRoom(desired, await askedRuns(runner, user), found.flatMap(inLine));
  return found.map((one) => ({ ...one, facts: { ...one.facts, noRoom: without.get(keyOf(one.scope)) } }));
}

function keyOf({ id, twin }: PreviewScope): string {
  return `${id}/${twin}`;
}

function inLine({ scope, facts: { wanted, seen } }: PreviewSeen): PreviewInLine[] {
  if (!wanted) return [];
  const isSame = seen && seen.commit === wanted.commit && seen.attempt === wanted.attempt;
  const hasBegun = isSame && seen.runs.length > 0;
  const state = !isOpen(wanted, seen) ? "over" : hasBegun ? "running" : "waiting";
  return [{ key: keyOf(scope), wantedAt: wanted.wantedAt, state, resources: wanted.resources }];
}

function ofUser(user: string, { containers, networks, layers }: PreviewRemains) {
  const mine = {
    containers: containers.filter(({ labels }) => labels.user === user),
    networks: networks.filter((scope) => scope.user === user),
    layers: layers.filter(({ scope }) => scope.user === user),
  };
  const ids = new Set([
    ...mine.containers.flatMap(({ labels }) => labels.preview ?? []),
    ...mine.networks.map(({ id }) => id),
    ...mine.layers.map(({ scope }) => scope.id),
  ]);
  return { ...mine, ids };
}

function namesOf(
  id: string,
  { wanted, seen }: { wanted: WantedPreviews | undefined; seen: ObservedPreviews | undefined },
  mine: ReturnType<typeof ofUser>,
): string[] {
  return [
    ...new Set([
      ...(wanted?.twins ?? []).map(({ name }) => name),
      ...(seen?.twins ?? []).map(({ name }) => name),
      ...mine.containers.flatMap(({ labels }) => (labels.preview === id ? labels.twin : [])),
      ...mine.networks.flatMap((scope) => (scope.id === id ? scope.twin : [])),
      ...mine.layers.flatMap(({ scope }) => (scope.id === id ? scope.twin : [])),
    ]),
  ].sort();
}

function isOf(one: PreviewScope, other: PreviewScope): boolean {
  return one.user === other.user && one.id === other.id && one.twin === other.twin;
}

/** May something of it still begin? */
export function isOpen(wanted: WantedPreview, seen: ObservedPreview | undefined): boolean {
  const isSame = seen && seen.commit === wanted.commit && seen.attempt === wanted.attempt;
  return !(isSame && isOver(seen));
}

async function imageOf(
  runner: Runner,
  wanted: WantedPreview | undefined,
  seen: ObservedPreview | undefined,
): Promise<ImageFact> {
  if (!wanted || !runner.engine.previews || !isOpen(wanted, seen)) {
    return { state: "unknown", reason: "nothing of it begins" };
  }
  return await runner.images.fact(wanted.workspace);
}

async function diskOf(
  runner: Runner,
  scope: PreviewScope,
  wanted: WantedPreview | undefined,
  layers: readonly string[],
): Promise<number> {
  if (wanted?.resources.diskBytes === undefined) return 0;
  const layer = previewLayerId(scope, wanted);
  return layers.includes(layer) ? await runner.disk.of(layer) : 0;
}

/** The twin of each container that runs because somebody, or a schedule, asked for it. */
async function askedRuns(runner: Runner, user: string): Promise<string[]> {
  const asked: string[] = [];
  for (const twin of await runner.memory.twins(user)) {
    const { open } = await runner.memory.get(user, twin);
    for (const { cause } of Object.values(open)) if (isAskedFor(cause)) asked.push(twin);
  }
  return asked;
}
