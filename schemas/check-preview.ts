import { defaultPreviewOperations } from "./defaults.ts";
import { normalisePath } from "./normalise-twin.ts";
import { isOperationName } from "./operation-name.ts";
import type { Find } from "./parse-document.ts";
import { listOf, recordOf } from "./plain-data.ts";
import { quote } from "./quote.ts";
import { didYouMean } from "./suggest.ts";

/** What no schema can say about `spec.preview`: operations that are there, and files that one of them keeps. */
export function checkPreview(spec: Record<string, unknown>, scripts: readonly string[], find: Find): void {
  const preview = recordOf(spec["preview"]);
  const lifecycle = recordOf(spec["lifecycle"]);
  if (preview === undefined || (lifecycle === undefined && spec["lifecycle"] !== undefined)) return;
  const known = lifecycle === undefined ? scripts.filter(isOperationName) : Object.keys(lifecycle);
  const written = listOf(preview["operations"]);
  const operations = (written ?? defaultPreviewOperations.filter((name) => known.includes(name))).filter(
    (name) => typeof name === "string",
  );
  if (written === undefined && operations.length === 0) {
    find({
      code: "preview-empty",
      pointer: "/spec/preview",
      part: "key",
      message: "the preview has nothing to run: the twin has neither `create` nor `execute`",
      hint: known.length === 0 ? "add an operation" : `name some of ${known.join(", ")} under \`operations\``,
    });
    return;
  }
  checkOperations(written ?? [], known, find);
  checkFiles(preview["compare"], { operations, lifecycle: lifecycle ?? {} }, find);
}

function checkOperations(written: readonly unknown[], known: readonly string[], find: Find): void {
  for (const [index, name] of written.entries()) {
    if (typeof name !== "string" || !isOperationName(name)) continue;
    const pointer = `/spec/preview/operations/${index}`;
    if (!known.includes(name)) {
      find({
        code: "unknown-operation",
        pointer,
        message: `the twin has no operation ${quote(name)} that could be previewed`,
        hint: didYouMean(name, known) ?? (known.length === 0 ? "it has none" : `it has ${known.join(", ")}`),
      });
    } else if (name === "terminate") {
      find({
        code: "preview-terminate",
        severity: "warning",
        pointer,
        message:
          "`terminate` has nothing to end: a preview runs its operations one after the other, and ends each by itself",
        hint: "leave it out",
      });
    }
  }
}

/** A file that nothing keeps is nowhere to be read when the run has ended. */
function checkFiles(
  compare: unknown,
  twin: { operations: readonly string[]; lifecycle: Record<string, unknown> },
  find: Find,
): void {
  const kept = twin.operations.flatMap((name) =>
    (listOf(recordOf(twin.lifecycle[name])?.["outputs"]) ?? []).flatMap((path) =>
      typeof path === "string" ? normalisePath(path) : [],
    ),
  );
  for (const [index, entry] of (listOf(compare) ?? []).entries()) {
    const written = recordOf(entry)?.["file"];
    if (typeof written !== "string") continue;
    const file = normalisePath(written);
    if (kept.some((path) => covers(path, file))) continue;
    const meant = kept.find((path) => path.endsWith(`/${file}`));
    const folder = kept.find((path) => file.startsWith(`${path.split("/").at(-1)}/`));
    const longer = meant ?? (folder && `${folder}${file.slice(file.indexOf("/"))}`);
    const last = twin.operations.at(-1) ?? "execute";
    find({
      code: "compare-not-kept",
      severity: "warning",
      pointer: `/spec/preview/compare/${index}/file`,
      message: `no \`outputs\` of ${twin.operations.join(", ") || "an operation"} keeps ${quote(file)}: there will be nothing to compare`,
      hint:
        longer === undefined
          ? `add it under \`lifecycle.${last}.outputs\`; paths begin at the root of the repository`
          : `did you mean ${quote(longer)}? Paths begin at the root of the repository`,
    });
  }
}

/** Does this entry of `outputs`, a file or a folder, keep the file? */
export function covers(output: string, file: string): boolean {
  return output === "." || output === file || file.startsWith(`${output}/`);
}
