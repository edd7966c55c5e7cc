import { type DataFolder, runFolder } from "#core/data-folder";
import { ActionNeededError } from "#core/errors";
import type { RunDetails, SavedOutputs } from "#schemas/api";
import type { Forge, ForgeProject } from "../forge/forge.ts";
import type { RunArchive } from "../reading/run-archive.ts";
import { openOutput } from "../reading/run-outputs.ts";

// One commit travels in one request, a third larger than its files, and Git hosts refuse or slow down larger ones.
const maxSavedBytes = 32 * 1024 * 1024;
const maxSavedFiles = 1_000;
const maxAttempts = 3; // somebody may push to the branch in between
// Names a branch may have that Git, every Git host and every shell take.
const branchPattern =
  /^(?!.*(?:\.\.|\/\/|@\{|\.lock(?:\/|$)|\/\.))[A-Za-z0-9_](?:[A-Za-z0-9._/-]{0,198}[A-Za-z0-9_-])?$/;

export interface SaveOutputsDeps {
  data: DataFolder;
  runs: Pick<RunArchive, "get">;
  forge: Pick<Forge, "commitFiles">;
  /** Where people reach the platform, for the link in the commit. */
  publicUrl: string;
}

/**
 * Commits what a run kept to a branch of its user's project, in one commit with the caller's own token. Files keep
 * their path; those that are there already are replaced, none are removed. Errors: `RUN_NOT_FOUND`, `RUN_NOT_ENDED`,
 * `OUTPUTS_NONE`, `OUTPUTS_TOO_LARGE`, `OUTPUT_NAME_REFUSED`, `BRANCH_NAME_REFUSED`, and those of the forge.
 */
export async function saveOutputs(
  deps: SaveOutputsDeps,
  wish: { user: string; twin: string; id: string; branch: string },
  caller: { token: string; project: ForgeProject },
): Promise<SavedOutputs> {
  const { user, twin, id, branch } = wish;
  if (!branchPattern.test(branch)) {
    throw new ActionNeededError(
      "BRANCH_NAME_REFUSED",
      `${JSON.stringify(branch)} cannot be the name of a branch`,
      {
        hint: "use letters, digits, `-`, `_`, `.` and `/`, such as results/incubator",
      },
    );
  }
  const run = await deps.runs.get(user, twin, id);
  if (!run) {
    throw new ActionNeededError("RUN_NOT_FOUND", `${user}/${twin} has no run ${id}`, {
      hint: `list its runs: dtaas twin history ${user}/${twin}`,
    });
  }
  const files = await readOutputs(deps.data, run);
  const change = { token: caller.token, branch, files, message: messageFor(run, deps.publicUrl) };
  for (let attempt = 1; ; attempt += 1) {
    try {
      const { commit } = await deps.forge.commitFiles(caller.project, change);
      return {
        user,
        twin,
        run: id,
        branch,
        files: files.length,
        changed: commit !== undefined,
        commit: commit ?? null,
      };
    } catch (error) {
      const isMoved = error instanceof ActionNeededError && error.code === "BRANCH_MOVED";
      if (!isMoved || attempt >= maxAttempts) throw error;
    }
  }
}

async function readOutputs(
  data: DataFolder,
  run: RunDetails,
): Promise<{ path: string; content: Uint8Array }[]> {
  const name = `run ${run.id}`;
  if (run.state !== "ended") throw new ActionNeededError("RUN_NOT_ENDED", `${name} has not ended yet`);
  const outputs = run.result?.outputs ?? [];
  if (outputs.length === 0) {
    throw new ActionNeededError("OUTPUTS_NONE", `${name} kept no files`, {
      hint: "name them under `outputs` of the operation in dt.yaml",
    });
  }
  const bytes = outputs.reduce((sum, output) => sum + output.bytes, 0);
  if (outputs.length > maxSavedFiles || bytes > maxSavedBytes) {
    throw new ActionNeededError(
      "OUTPUTS_TOO_LARGE",
      `${name} kept ${outputs.length} files with ${bytes} bytes; one commit takes ${maxSavedFiles} files and ${maxSavedBytes} bytes`,
      { hint: `fetch them instead: dtaas twin outputs ${run.user}/${run.twin} ${run.id} <path> --to <file>` },
    );
  }
  const files: { path: string; content: Uint8Array }[] = [];
  for (const { path } of outputs) {
    refuseName(path);
    const output = await openOutput(runFolder(data, run.user, run.twin, run.id), path);
    if (!output) throw new ActionNeededError("OUTPUT_NOT_FOUND", `${name} no longer has ${path}`);
    try {
      files.push({ path, content: await output.file.readFile() });
    } finally {
      await output.file.close();
    }
  }
  return files;
}

/** A twin must not write what a Git host or Git itself obeys, with the rights of whoever saves its results. */
function refuseName(path: string): void {
  const steps = path.toLowerCase().split("/");
  const isObeyed = steps[0]?.startsWith(".") || steps.some((step) => step === ".git" || step === "git~1");
  const isOdd = /\p{Cc}/u.test(path) || steps.some((step) => step === "" || step === "." || step === "..");
  if (!isObeyed && !isOdd) return;
  throw new ActionNeededError("OUTPUT_NAME_REFUSED", `${JSON.stringify(path)} is not saved to Git`, {
    hint: "keep results in folders such as data/; names that begin with a dot at the top, and .git, are refused",
  });
}

function messageFor(run: RunDetails, publicUrl: string): string {
  const { user, twin, id, operation, manifest } = run;
  const lines = [
    `Run: ${publicUrl}/api/v1/twins/${encodeURIComponent(user)}/${encodeURIComponent(twin)}/runs/${id}`,
    ...(manifest ? [`Revision: ${manifest.revision}`] : []),
    ...(run.finishedAt === null ? [] : [`Finished: ${run.finishedAt}`]),
  ];
  return `Save results of ${twin} ${operation ?? "run"}\n\n${lines.join("\n")}\n`;
}
