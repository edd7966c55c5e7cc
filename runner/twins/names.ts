// How the engine's objects are named. User names of a forge may hold dots and dashes, so parts are read from the end.

/** The writable layer of a twin at one source key. */
export function layerId(user: string, twin: string, sourceKey: string): string {
  return `${user}.${twin}.${sourceKey}`;
}

/** The parts of a layer id; `undefined` where it is no twin's. */
export function parseLayerId(id: string): { user: string; twin: string; key: string } | undefined {
  const parts = id.split(".");
  const [twin, key] = parts.slice(-2);
  const user = parts.slice(0, -2).join(".");
  return twin === undefined || key === undefined || user === "" ? undefined : { user, twin, key };
}

/** What `docker ps` shows. */
export function containerName(user: string, twin: string, operation: string, runId: string): string {
  return `${user}-${twin}-${operation}-${runId}`;
}
