import { createHash } from "node:crypto";
import { join } from "node:path";
import { writeJsonAtomic } from "#core/atomic-file";
import { ActionNeededError } from "#core/errors";
import { type OnSetAside, readOrSetAside } from "#core/read-or-set-aside";
import type { DesiredState } from "#schemas/desired-state";
import { isKept, type KeptPipeline, keepPipeline, pipelineFile } from "#schemas/keep-pipeline";
import { maxDocumentBytes } from "#schemas/limits";
import { GitReader } from "../assets/git-reader.ts";
import type { Mirrors } from "../assets/mirrors.ts";
import type { Forge, ForgeProject } from "../forge/forge.ts";

const branch = "dtaas/pipeline";

export interface ProposeDeps {
  /** `<user>.json`: what was proposed last. */
  folder: string;
  forge: Pick<Forge, "commitFiles"> & { mergeRequests: Pick<Forge["mergeRequests"], "create"> };
  mirrors: Mirrors;
  /** Of the platform's own account. */
  token: string;
  /** Full path of the project that has the jobs of twins. */
  library: string;
  onSetAside: OnSetAside;
}

/**
 * Proposes, by a merge request of the platform, that `.gitlab-ci.yml` gets the trigger jobs of twins that have come and
 * loses those of twins that have gone. Only where its jobs are kept, see `isKept`, and each change once: a merge request that
 * somebody has closed is not made again. Resolves with its address, or `undefined` where there is nothing to propose. Errors: those of
 * `editPipeline` and of the host.
 */
export async function proposePipeline(
  deps: ProposeDeps,
  project: ForgeProject,
  desired: DesiredState,
): Promise<string | undefined> {
  const tree = await GitReader.open(deps.mirrors, project.id, desired.revision);
  const bytes = await tree.read(pipelineFile, maxDocumentBytes + 1);
  const text = bytes && Buffer.from(bytes).toString("utf8");
  if (!isKept({ tree, text })) return undefined;
  const twins = [...desired.twins, ...desired.refused].map(({ name }) => name).sort();
  const kept = keepPipeline({ tree, text, twins, library: deps.library });
  if (kept.files.length === 0) return undefined;
  const path = join(deps.folder, `${desired.user}.json`);
  const wish = createHash("sha256").update(JSON.stringify(kept.files)).digest("hex");
  const last = await readOrSetAside(path, { check: checkProposed, onSetAside: deps.onSetAside });
  if (last?.wish === wish) return undefined;
  const title = titleOf(kept);
  await deps.forge.commitFiles(project, {
    ...{ token: deps.token, branch, message: `ci: ${title}` },
    files: kept.files.map((file) => ({ path: file.path, content: Buffer.from(file.content) })),
  });
  const { webUrl } = await deps.forge.mergeRequests.create(project, {
    ...{ token: deps.token, sourceBranch: branch, title },
    description: [
      "Each twin has a job that triggers its pipeline; this brings the jobs up to the twins of the repository.",
      "Jobs without the variable `DTKeptBy` are yours, and stay. Close this and it is not proposed again.",
    ].join("\n"),
  });
  await writeJsonAtomic(path, { wish } satisfies Proposed);
  return webUrl;
}

interface Proposed {
  wish: string;
}

function titleOf({ added, changed, removed }: KeptPipeline): string {
  const parts = [
    added.length > 0 ? `add ${added.join(", ")}` : "",
    removed.length > 0 ? `remove ${removed.join(", ")}` : "",
    changed.length > 0 ? `write ${changed.join(", ")} anew` : "",
  ].filter((part) => part !== "");
  const text = `pipelines of twins: ${parts.join("; ") || "their shared file"}`;
  return text.length <= 120 ? text : `${text.slice(0, 117)}...`;
}

/** Lost, it costs one merge request that somebody has closed. */
function checkProposed(value: unknown, path: string): Proposed {
  if (typeof (value as Partial<Proposed> | null)?.wish === "string") return value as Proposed;
  throw new ActionNeededError("DOCUMENT_INVALID", `${path} does not say what was proposed`);
}
