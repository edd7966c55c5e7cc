import type { PreviewScope } from "./engine.ts";

/** One name for a preview. User names may hold dots, the others hold none. */
export function scopeName({ user, id, twin }: PreviewScope): string {
  return `${id}.${twin}.${user}`;
}

/** `undefined` for what is no such name. */
export function parseScope(name: string): PreviewScope | undefined {
  const [id, twin, ...rest] = name.split(".");
  const user = rest.join(".");
  return id && twin && user ? { user, id, twin } : undefined;
}
