import type { RefChange } from "../repository/refs-changed.ts";

/** What a push moved, and what else whoever pushed wants. */
export interface Receipt {
  changes: RefChange[];
  pushOptions: string[];
}

/** True once the post-receive hook has written everything. */
export function isWholeReceipt(text: string): boolean {
  return text === "end\n" || text.endsWith("\nend\n");
}

/** Reads what the post-receive hook wrote: `option <text>` lines, then `<before> <after> <ref>` lines. */
export function parseReceipt(text: string): Receipt {
  const changes: RefChange[] = [];
  const pushOptions: string[] = [];
  for (const line of text.split("\n")) {
    const change = /^([0-9a-f]{40}) ([0-9a-f]{40}) (refs\/.+)$/.exec(line);
    const [, before, after, ref] = change ?? [];
    if (before && after && ref) changes.push({ before, after, ref });
    else if (line.startsWith("option ")) pushOptions.push(line.slice("option ".length));
  }
  return { changes, pushOptions };
}
