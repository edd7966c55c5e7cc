import type { Diagnostic } from "./diagnostic.ts";
import { quote } from "./quote.ts";
import { didYouMean } from "./suggest.ts";
import type { Locate } from "./yaml-document.ts";

/** One twin and what it waits for. */
export interface DependencyNode {
  user: string;
  twin: string;
  /** `user/twin` names, in the order of the document. */
  dependsOn: readonly string[];
  /** Where its findings are shown; without `locate` at the beginning of the file. */
  file: string;
  locate?: Locate;
}

/** In a tangle of more twins than this all are told the same cycle, to stay cheap. */
const maxOwnCycles = 100;
/** Twins named when a cycle is written out. */
const maxNamed = 10;

/**
 * Checks the graph of `dependsOn` over all twins given. A cycle is an error at each twin in it and names the way round;
 * a target that does not exist is a warning: the twin waits for it. Targets of users for whom `sees` is false are not
 * checked. Pure. The findings are by `user/twin`.
 */
export function checkDependencies(
  nodes: readonly DependencyNode[],
  sees: (user: string) => boolean = () => true,
): Map<string, Diagnostic[]> {
  const byName = new Map(nodes.map((node) => [nameOf(node), node]));
  const found = new Map<string, Diagnostic[]>();
  const report = (
    node: DependencyNode,
    target: string,
    finding: Omit<Diagnostic, "file" | "line" | "column">,
  ) => {
    const pointer = `/spec/dependsOn/${node.dependsOn.indexOf(target)}`;
    const place = node.locate?.(pointer) ?? { line: 1, column: 1 };
    const list = found.get(nameOf(node)) ?? [];
    list.push({ ...finding, file: node.file, ...place });
    found.set(nameOf(node), list);
  };
  for (const node of nodes) {
    for (const target of node.dependsOn) {
      const user = target.slice(0, target.indexOf("/"));
      if (byName.has(target) || !sees(user)) continue;
      const names = nodes.filter((other) => other.user === user).map(nameOf);
      const hint = didYouMean(target, names);
      const message = `there is no twin ${quote(target)} to wait for`;
      report(node, target, {
        code: "unknown-dependency",
        severity: "warning",
        message,
        ...(hint ? { hint } : {}),
      });
    }
  }
  for (const tangle of tangles(byName)) {
    const members = new Set(tangle);
    const shared = tangle.length > maxOwnCycles ? cycleThrough(tangle[0] ?? "", members, byName) : undefined;
    for (const name of tangle) {
      const cycle = shared ?? cycleThrough(name, members, byName);
      const node = byName.get(name);
      const next = node?.dependsOn.find((target) => (shared ? members.has(target) : target === cycle[1]));
      if (node === undefined || next === undefined) continue;
      const message = `these twins wait for each other: ${wordsFor(cycle)}`;
      const hint = "remove one of these dependencies";
      report(node, next, { code: "dependency-cycle", severity: "error", message, hint });
    }
  }
  return found;
}

function nameOf(node: { user: string; twin: string }): string {
  return `${node.user}/${node.twin}`;
}

function wordsFor(cycle: readonly string[]): string {
  const named = cycle.length > maxNamed + 1 ? [...cycle.slice(0, maxNamed), "…", cycle.at(-1) ?? ""] : cycle;
  return named.join(" -> ");
}

/** Groups of twins that can all reach each other (Tarjan's algorithm, without recursion). */
function tangles(byName: ReadonlyMap<string, DependencyNode>): string[][] {
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const onPath = new Set<string>();
  const path: string[] = [];
  const result: string[][] = [];
  const targetsOf = (name: string) =>
    (byName.get(name)?.dependsOn ?? []).filter((target) => byName.has(target));
  const enter = (name: string) => {
    order.set(name, order.size);
    low.set(name, order.size - 1);
    path.push(name);
    onPath.add(name);
    return { name, targets: targetsOf(name), next: 0 };
  };
  const lower = (name: string, other: number | undefined) =>
    low.set(name, Math.min(low.get(name) ?? 0, other ?? Number.POSITIVE_INFINITY));
  for (const start of byName.keys()) {
    if (order.has(start)) continue;
    const calls = [enter(start)];
    for (let call = calls.at(-1); call !== undefined; call = calls.at(-1)) {
      const target = call.targets[call.next];
      if (target !== undefined) {
        call.next += 1;
        if (!order.has(target)) calls.push(enter(target));
        else if (onPath.has(target)) lower(call.name, order.get(target));
        continue;
      }
      calls.pop();
      const caller = calls.at(-1);
      if (caller !== undefined) lower(caller.name, low.get(call.name));
      if (low.get(call.name) !== order.get(call.name)) continue;
      const members = path.splice(path.lastIndexOf(call.name));
      for (const member of members) onPath.delete(member);
      if (members.length > 1 || call.targets.includes(call.name)) result.push(members);
    }
  }
  return result;
}

/** The shortest way from a twin back to itself, both ends named. */
function cycleThrough(
  start: string,
  members: ReadonlySet<string>,
  byName: ReadonlyMap<string, DependencyNode>,
): string[] {
  const cameFrom = new Map<string, string>();
  const queue = [start];
  for (const name of queue) {
    for (const target of byName.get(name)?.dependsOn ?? []) {
      if (target === start) {
        const way = [start];
        for (let step: string | undefined = name; step !== undefined; step = cameFrom.get(step))
          way.unshift(step);
        return way;
      }
      if (!members.has(target) || cameFrom.has(target)) continue;
      cameFrom.set(target, name);
      queue.push(target);
    }
  }
  return [start];
}
