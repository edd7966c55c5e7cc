import type { Diagnostic } from "./diagnostic.ts";
import { quote } from "./quote.ts";
import type { RepositoryTree } from "./repository-tree.ts";
import { didYouMean } from "./suggest.ts";
import type { OperationSpec, TwinDocument } from "./twin-spec.ts";
import type { Locate } from "./yaml-document.ts";

/**
 * Where paths below `common/` are looked up: the tree of the shared-asset repository; `"none"`: there is none, so the
 * user's own `common/` folder counts; `"unknown"`: it cannot be seen from here, so they are not checked.
 */
export type CommonTree = RepositoryTree | "none" | "unknown";

export interface TreeCheck {
  /** Path of the twin's dt.yaml. */
  file: string;
  /** Path of the twin's folder, such as `digital_twins/incubator`. */
  folder: string;
  tree: RepositoryTree;
  common: CommonTree;
  locate: Locate;
}

/** Everything a twin names must be in the repository: its assets, its scripts and the folders they start in. Pure. */
export function checkTree(document: TwinDocument, check: TreeCheck): Diagnostic[] {
  const diagnostics = document.spec.assets.flatMap(({ kind, path }, index) => {
    const missing = findMissing(path, check);
    if (missing === undefined) return [];
    const message = `the asset ${quote(path)} is missing: ${missing.message}`;
    return [diagnostic(check, "asset-missing", `/spec/assets/${index}/${kind}`, message, missing.hint)];
  });
  // Operations derived from scripts cannot be wrong.
  for (const [name, operation] of Object.entries(document.spec.lifecycle)) {
    diagnostics.push(...checkOperation(name, operation, check));
  }
  return diagnostics;
}

function checkOperation(name: string, operation: OperationSpec, check: TreeCheck): Diagnostic[] {
  const pointer = `/spec/lifecycle/${name}`;
  const found: Diagnostic[] = [];
  if (typeof operation.run === "string") found.push(...checkScript(operation.run, `${pointer}/run`, check));
  const { workingDir } = operation;
  const missing = workingDir === "." ? undefined : findMissing(workingDir, check, "folder");
  if (missing !== undefined) {
    const message = `the working folder ${quote(workingDir)} is missing: ${missing.message}`;
    const hint = missing.hint ?? "leave it if `create` makes it";
    found.push({
      ...diagnostic(check, "working-folder-missing", `${pointer}/workingDir`, message, hint),
      severity: "warning",
    });
  }
  return found;
}

function checkScript(run: string, pointer: string, check: TreeCheck): Diagnostic[] {
  const path = `${check.folder}/${run}`;
  const missing = findMissing(path, check, "file");
  if (missing !== undefined) {
    const words = run.split(/\s+/);
    const asList = `to run a command with arguments write a list: [${words.join(", ")}]`;
    const hint =
      words.length > 1
        ? asList
        : (missing.hint ?? "a program of the image is written as a list: [python3, main.py]");
    const message = `the script ${quote(run)} is missing: ${missing.message}`;
    return [diagnostic(check, "script-missing", pointer, message, hint)];
  }
  if (check.tree.entry(path)?.executable === true) return [];
  return [
    diagnostic(
      check,
      "script-not-executable",
      pointer,
      `the script ${quote(run)} is not executable`,
      chmodHint(path),
    ),
  ];
}

/** How a script becomes executable in Git. */
export function chmodHint(path: string): string {
  return `git update-index --chmod=+x ${/^[A-Za-z0-9_./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`}`;
}

/** Why there is nothing (or the wrong thing) at a path of the mount; `undefined` when all is well or cannot be known. */
function findMissing(
  path: string,
  check: TreeCheck,
  kind?: "file" | "folder",
): { message: string; hint?: string | undefined } | undefined {
  const isCommon = path === "common" || path.startsWith("common/");
  if (isCommon && check.common === "unknown") return undefined;
  const isShared = isCommon && check.common !== "none";
  const tree = isShared ? (check.common as RepositoryTree) : check.tree;
  const where = isShared ? "the shared-asset repositories" : "this repository";
  const steps = path.split("/").slice(isShared ? 1 : 0);
  let parent = "";
  for (const step of steps) {
    const here = parent === "" ? step : `${parent}/${step}`;
    if (tree.entry(here) === undefined) {
      const folder = parent === "" ? where : `the folder ${quote(parent)} of ${where}`;
      return { message: `${folder} has no ${quote(step)}`, hint: didYouMean(step, tree.list(parent)) };
    }
    parent = here;
  }
  const found = tree.entry(parent)?.kind ?? "folder";
  if (kind === undefined || found === kind) return undefined;
  return { message: `it is a ${found}, not a ${kind}` };
}

function diagnostic(
  check: TreeCheck,
  code: string,
  pointer: string,
  message: string,
  hint?: string,
): Diagnostic {
  const place = check.locate(pointer);
  return {
    code,
    severity: "error",
    file: check.file,
    ...place,
    message,
    ...(hint === undefined ? {} : { hint }),
  };
}
