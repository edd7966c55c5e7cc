// How the engine's objects are named. User names of a forge may hold dots and dashes, so parts are read from the end.

/** The writable layer of a twin at one source key. */
export function layerId(user: string, twin: string, sourceKey: string): string {
  return `${user}.${twin}.${sourceKey}`;
}

const previewKey = /^preview-((?:[0-9]+-)?[0-9]+)-[0-9a-f]{12}-[0-9]+$/;

/** The writable layer of a preview at one commit. No source key looks like the end of it. */
export function previewLayerId(
  { user, twin, id }: { user: string; twin: string; id: string },
  { commit, attempt }: { commit: string; attempt: number },
): string {
  return `${user}.${twin}.preview-${id}-${commit.slice(0, 12)}-${attempt}`;
}

/** Whose preview has this layer; `undefined` where it is no preview's. */
export function parsePreviewLayerId(layer: string): { user: string; twin: string; id: string } | undefined {
  const { user, twin, key } = partsOf(layer) ?? {};
  const id = previewKey.exec(key ?? "")?.[1];
  return user === undefined || twin === undefined || id === undefined ? undefined : { user, twin, id };
}

/** The parts of a layer id; `undefined` where it is no live twin's. */
export function parseLayerId(id: string): { user: string; twin: string; key: string } | undefined {
  const parts = partsOf(id);
  return parts === undefined || previewKey.test(parts.key) ? undefined : parts;
}

function partsOf(id: string): { user: string; twin: string; key: string } | undefined {
  const parts = id.split(".");
  const [twin, key] = parts.slice(-2);
  const user = parts.slice(0, -2).join(".");
  return twin === undefined || key === undefined || user === "" ? undefined : { user, twin, key };
}

/** What `docker ps` shows of a preview. No live twin has an operation of this name. */
export function previewContainerName(
  { user, twin, id }: { user: string; twin: string; id: string },
  operation: string,
  runId: string,
): string {
  return `${user}-${twin}-preview-${id}-${operation}-${runId}`;
}

/** What `docker ps` shows. */
export function containerName(user: string, twin: string, operation: string, runId: string): string {
  return `${user}-${twin}-${operation}-${runId}`;
}
