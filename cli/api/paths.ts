/** A twin by its full name. */
export interface TwinName {
  user: string;
  twin: string;
}

export function twinPath({ user, twin }: TwinName): string {
  return `/twins/${encodeURIComponent(user)}/${encodeURIComponent(twin)}`;
}

export function runPath(name: TwinName, id: string): string {
  return `${twinPath(name)}/runs/${encodeURIComponent(id)}`;
}
