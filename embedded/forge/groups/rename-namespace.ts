import type { ForgeContext } from "../forge-context.ts";
import type { NamespaceRecord } from "../store/records.ts";

/** Gives a group or a user's namespace another last segment; what is in it moves along. The path must be free. */
export async function renameNamespace(
  context: ForgeContext,
  namespace: NamespaceRecord,
  path: string,
): Promise<NamespaceRecord> {
  const { store } = context;
  const oldPrefix = `${namespace.fullPath}/`;
  const fullPath = namespace.fullPath.slice(0, -namespace.path.length) + path;
  const moved = (old: string) => `${fullPath}/${old.slice(oldPrefix.length)}`;
  const isInside = (each: { fullPath: string }) => each.fullPath.startsWith(oldPrefix);
  // In memory at once, so that nobody sees half of it; a crash between the writes is mended at the next start.
  const writes: Promise<unknown>[] = [store.namespaces.update(namespace.id, { path, fullPath })];
  for (const each of store.namespaces.all().filter(isInside)) {
    writes.push(store.namespaces.update(each.id, { fullPath: moved(each.fullPath) }));
  }
  for (const each of store.projects.all().filter(isInside)) {
    writes.push(store.projects.update(each.id, { fullPath: moved(each.fullPath) }));
  }
  await Promise.all(writes);
  return store.namespaces.get(namespace.id) ?? namespace;
}
