import type { Alias, Scalar } from "yaml";
import { maxAliases, maxDepth, maxNodes } from "./limits.ts";
import { quote } from "./quote.ts";
import { isAlias, isMap, isScalar, isSeq } from "./yaml-library.ts";

/** Tells one finding: a stable code, the offset in the text, what is wrong and how to mend it. */
export type Report = (code: string, offset: number, message: string, hint?: string) => void;

export interface YamlNodes {
  /** Plain data; `undefined` when a limit was passed. */
  value: unknown;
  /** What each alias stands for. */
  targets: ReadonlyMap<Alias, unknown>;
}

class LimitPassed extends Error {}

interface Walk {
  report: Report;
  anchors: Map<string, unknown>;
  targets: Map<Alias, unknown>;
  /** Nodes between the root and here: an alias to one of them would never end. */
  open: Set<unknown>;
  nodeCount: number;
  aliasCount: number;
  expanding: boolean;
}

/**
 * Turns parsed nodes into plain data in one walk, and reports what the language does not allow: duplicate, merged
 * or dangerous keys, aliases that are unknown, endless or too many.
 */
export function readYamlNodes(root: unknown, report: Report): YamlNodes {
  const walk: Walk = {
    report,
    anchors: new Map(),
    targets: new Map(),
    open: new Set(),
    nodeCount: 0,
    aliasCount: 0,
    expanding: false,
  };
  try {
    return { value: read(root, walk, 0), targets: walk.targets };
  } catch (error) {
    if (!(error instanceof LimitPassed)) throw error;
    return { value: undefined, targets: walk.targets };
  }
}

function read(node: unknown, walk: Walk, depth: number): unknown {
  walk.nodeCount += 1;
  if (walk.nodeCount > maxNodes) {
    const message = `the file has more than ${maxNodes} values, repetitions through aliases included`;
    walk.report("too-many-values", offsetOf(node), message);
    throw new LimitPassed();
  }
  if (isAlias(node)) return readAlias(node, walk, depth);
  if (isScalar(node)) {
    remember(node.anchor, node, walk);
    return node.value;
  }
  if (!isMap(node) && !isSeq(node)) return null;
  if (depth >= maxDepth) {
    const message = `values are nested more than ${maxDepth} levels deep`;
    walk.report("too-deep", offsetOf(node), message);
    throw new LimitPassed();
  }
  remember(node.anchor, node, walk);
  walk.open.add(node);
  const value = isMap(node) ? readMap(node.items, walk, depth) : readSeq(node.items, walk, depth);
  walk.open.delete(node);
  return value;
}

function readSeq(items: readonly unknown[], walk: Walk, depth: number): unknown[] {
  return items.map((item) => read(item, walk, depth + 1));
}

function readMap(items: readonly { key: unknown; value: unknown }[], walk: Walk, depth: number): object {
  const record: Record<string, unknown> = {};
  for (const { key, value } of items) {
    const name = readKey(key, walk);
    const content = value === null ? null : read(value, walk, depth + 1);
    if (name === undefined) continue;
    if (name === "__proto__") {
      walk.report("reserved-key", offsetOf(key), "the key `__proto__` is not allowed");
    } else if (name === "<<") {
      walk.report(
        "merge-key",
        offsetOf(key),
        "merge keys (`<<`) are not part of YAML 1.2",
        "write the fields out",
      );
    } else if (Object.hasOwn(record, name)) {
      const hint = "keep one of them";
      walk.report("duplicate-key", offsetOf(key), `${quote(name)} is given more than once`, hint);
    } else {
      record[name] = content;
    }
  }
  return record;
}

function readKey(key: unknown, walk: Walk): string | undefined {
  walk.nodeCount += 1;
  if (isScalar(key)) {
    remember(key.anchor, key, walk);
    return scalarText(key);
  }
  walk.report(
    "key-not-text",
    offsetOf(key),
    "a key must be text",
    "an alias, a list or a mapping cannot be a key",
  );
  return undefined;
}

function readAlias(alias: Alias, walk: Walk, depth: number): unknown {
  walk.aliasCount += 1;
  if (walk.aliasCount > maxAliases) {
    walk.report("too-many-aliases", offsetOf(alias), `the file uses more than ${maxAliases} aliases`);
    throw new LimitPassed();
  }
  const known = walk.targets.has(alias) || walk.anchors.has(alias.source);
  if (!known) {
    const message = `${quote(`*${alias.source}`)} refers to an anchor that is not defined above it`;
    walk.report("unknown-anchor", offsetOf(alias), message, "text that begins with `*` needs quotes");
    return null;
  }
  const target = walk.targets.get(alias) ?? walk.anchors.get(alias.source);
  if (walk.open.has(target)) {
    walk.report(
      "recursive-alias",
      offsetOf(alias),
      `${quote(`*${alias.source}`)} stands inside its own anchor`,
    );
    return null;
  }
  walk.targets.set(alias, target);
  const outer = walk.expanding;
  walk.expanding = true;
  const value = read(target, walk, depth);
  walk.expanding = outer;
  return value;
}

function remember(anchor: string | undefined, node: unknown, walk: Walk): void {
  if (anchor && !walk.expanding) walk.anchors.set(anchor, node);
}

/** A key as text: for `1` and `true` the text that was written. */
export function scalarText(scalar: Scalar): string {
  return typeof scalar.value === "string" ? scalar.value : (scalar.source ?? String(scalar.value));
}

/** Where a node begins in the text; 0 for one that has no place. */
export function offsetOf(node: unknown): number {
  const range = (node as { range?: unknown } | null | undefined)?.range;
  return Array.isArray(range) && typeof range[0] === "number" ? range[0] : 0;
}
