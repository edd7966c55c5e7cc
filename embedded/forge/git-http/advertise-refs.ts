import type { Refs } from "../git/list-refs.ts";
import type { FirstLine } from "./capabilities.ts";
import { isHidden } from "./ls-refs.ts";
import { packetLine } from "./packet-line.ts";

/**
 * All refs as git tells them to a client that names no protocol version. `undefined` without a default branch, and where
 * there are others than branches: only git can tell what a tag points at.
 */
export function advertiseRefs(line: FirstLine, { head, refs }: Refs): string | undefined {
  const shown = refs.filter(({ name }) => !isHidden(name));
  const id = shown.find(({ name }) => name === head)?.id;
  if (id === undefined || shown.some(({ name }) => !name.startsWith("refs/heads/"))) return undefined;
  const first = packetLine(`${id} HEAD\0${line.beforeHead}${head}${line.afterHead}\n`);
  return `${first}${shown.map((ref) => packetLine(`${ref.id} ${ref.name}\n`)).join("")}0000`;
}
