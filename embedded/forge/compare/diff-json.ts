import type { FileDiff } from "./read-diff.ts";

/** One file of a diff. With `unidiff` the text has the two lines in front that programs such as `patch` need. */
export function diffJson(file: FileDiff, unidiff: boolean) {
  const isNew = file.status === "A";
  const isRemoved = file.status === "D";
  const heads = `--- ${isNew ? "/dev/null" : `a/${file.oldPath}`}\n+++ ${isRemoved ? "/dev/null" : `b/${file.newPath}`}\n`;
  return {
    diff: unidiff && file.text.startsWith("@@") ? heads + file.text : file.text,
    collapsed: false,
    too_large: file.isTooLarge,
    new_path: file.newPath,
    old_path: file.oldPath,
    a_mode: file.oldMode,
    b_mode: file.newMode,
    new_file: isNew,
    renamed_file: file.status === "R",
    deleted_file: isRemoved,
    generated_file: null,
  };
}
