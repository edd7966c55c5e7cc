import { createHash } from "node:crypto";
import { readDiff } from "../compare/read-diff.ts";
import type { ForgeContext } from "../forge-context.ts";
import { emptyTree } from "../git/empty-tree.ts";
import { readBlob } from "../git/read-blob.ts";
import type { ApiError } from "../http/api-error.ts";
import type { Parameters } from "../http/parameters.ts";
import type { TextPosition } from "../store/merge-request-records.ts";
import { findLine } from "./diff-lines.ts";
import { noteProblem } from "./note-problem.ts";
import type { NoteTarget } from "./note-target.ts";

const maxPath = 4_096;
const maxRangeJson = 2_000; // the shape of a range of lines is the client's; it is given back as it came

/** Reads `position[...]`; throws `ApiError` 400 for one that says too little. */
export function positionIn(parameters: Parameters): TextPosition | undefined {
  const given = parameters.record("position");
  if (!given) return undefined;
  const type = given.choice("position_type", ["text", "file", "image"]) ?? "text";
  if (type === "image") throw invalidPosition();
  const sha = (name: string) => {
    const text = given.requiredFilled(name);
    if (!/^[0-9a-f]{40}$/.test(text)) throw invalidPosition();
    return text;
  };
  const newPath = given.filled("new_path") ?? given.filled("old_path");
  const oldPath = given.filled("old_path") ?? newPath;
  if (newPath === undefined || oldPath === undefined || newPath.length + oldPath.length > maxPath) {
    throw invalidPosition();
  }
  const lineRange = given.has("line_range") ? given.raw("line_range") : null;
  if (JSON.stringify(lineRange ?? null).length > maxRangeJson) throw invalidPosition();
  return {
    baseSha: sha("base_sha"),
    startSha: sha("start_sha"),
    headSha: sha("head_sha"),
    oldPath,
    newPath,
    positionType: type,
    oldLine: type === "file" ? null : (given.integer("old_line") ?? null),
    newLine: type === "file" ? null : (given.integer("new_line") ?? null),
    lineRange: lineRange ?? null,
  };
}

/** Throws `ApiError` 400 unless the position names a line of one of the versions' differences. */
export async function checkPosition(
  context: ForgeContext,
  target: NoteTarget,
  position: TextPosition,
): Promise<void> {
  if (!isOfTarget(context, target, position)) throw invalidPosition();
  const { git, repositories } = context;
  const gitDir = repositories.path(target.project.id);
  const { baseSha, headSha, oldPath, newPath } = position;
  const paths = [...new Set([oldPath, newPath])];
  const { files } = await readDiff(git, gitDir, baseSha, headSha, paths);
  const file =
    files.find((each) => each.newPath === newPath && each.oldPath === oldPath) ??
    files.find((each) => each.newPath === newPath || each.oldPath === oldPath);
  if (!file) throw invalidPosition();
  if (position.positionType === "file") return;
  const found = findLine(file.text, position);
  if (found === undefined) throw invalidPosition();
  if (found === "in diff") return;
  const text = await readBlob(git, gitDir, headSha, newPath);
  if ((position.newLine ?? 0) > (text?.replace(/\n$/, "").split("\n").length ?? 0)) throw invalidPosition();
}

/** GitLab's name of a line. */
export function lineCode(position: TextPosition): string | null {
  const { oldLine, newLine } = position;
  if (oldLine === null && newLine === null) return null;
  const path = createHash("sha1").update(position.newPath).digest("hex");
  return `${path}_${oldLine ?? 0}_${newLine ?? 0}`;
}

function isOfTarget(context: ForgeContext, target: NoteTarget, position: TextPosition): boolean {
  const { baseSha, startSha, headSha } = position;
  if (target.kind === "Commit") {
    return baseSha === (target.commit.parents[0] ?? emptyTree) && headSha === target.commit.id;
  }
  return context.store.versionsByMergeRequest
    .all(String(target.mergeRequest.id))
    .some((version) => version.base === baseSha && version.start === startSha && version.head === headSha);
}

function invalidPosition(): ApiError {
  return noteProblem(':line_code=>["can\'t be blank", "must be a valid line code"]');
}
