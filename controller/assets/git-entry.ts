import { ActionNeededError } from "#core/errors";
import { maxTreeEntries } from "#schemas/tree/tree-limits";

/** One name in a repository at a commit. */
export interface GitEntry {
  /** Full path with `/`, no leading one. */
  path: string;
  kind: "file" | "folder" | "link" | "submodule";
  executable: boolean;
  /** Content hash: blob id, or tree id of a folder. Equal id, equal content. */
  id: string;
  /** Of a file or the target of a link; 0 otherwise. */
  bytes: number;
}

/** What an entry is by its mode, six octal digits. */
export function kindOfMode(mode: string): GitEntry["kind"] {
  if (mode === "040000") return "folder";
  if (mode === "120000") return "link";
  if (mode.startsWith("100")) return "file"; // git normalises the rest of the mode away
  return "submodule";
}

/** The refusal of a name that is no UTF-8. */
export function noUtf8(name: Buffer): ActionNeededError {
  return new ActionNeededError("TREE_REFUSED", "The repository has a file whose name is no UTF-8", {
    where: { file: name.toString("latin1") },
    hint: "Rename the file.",
  });
}

/** The refusal of a tree with too many names; one that repeats itself endlessly ends so. */
export function tooMany(): ActionNeededError {
  return new ActionNeededError("TREE_REFUSED", `The repository has more than ${maxTreeEntries} names`, {
    hint: "Keep generated files out of Git, or split the repository.",
  });
}

/** The refusal of a name that holds the name of another folder. */
export function leadsElsewhere(path: string): ActionNeededError {
  return new ActionNeededError("TREE_REFUSED", `${JSON.stringify(path)}: The name leads elsewhere`, {
    where: { file: path },
    hint: "Rename it.",
  });
}
