import { type EditedPipeline, editPipeline, hasKeptJobs } from "./edit-pipeline.ts";
import type { RepositoryTree } from "./repository-tree.ts";

export const pipelineFile = ".gitlab-ci.yml";
/** What the trigger jobs of twins run that have no pipeline of their own; its presence says that the jobs are to be kept. */
export const sharedPipelineFile = ".gitlab/dtaas-twin.yml";

export interface PipelineWish {
  tree: RepositoryTree;
  /** The text of `pipelineFile`; `undefined` where there is none. */
  text: string | undefined;
  twins: readonly string[];
  /** Full path of the project with `templates/twins.yml`, such as `dtaas/common`. */
  library: string;
}

export interface KeptPipeline extends Omit<EditedPipeline, "text"> {
  /** What has to be written; nothing where all is as it should be. */
  files: { path: string; content: string }[];
}

/** Should somebody propose changes here? Only where a person has once committed what `dtaas pipeline generate` gives. */
export function isKept({ tree, text }: Pick<PipelineWish, "tree" | "text">): boolean {
  return tree.entry(sharedPipelineFile) !== undefined || hasKeptJobs(text ?? "");
}

/**
 * The parent pipeline of a repository with a job for each of its twins, which triggers the twin's own
 * `digital_twins/<twin>/.gitlab-ci.yml` where there is one, else the shared file. Errors: those of `editPipeline`.
 */
export function keepPipeline({ tree, text, twins, library }: PipelineWish): KeptPipeline {
  const wanted = twins.map((name) => {
    const own = `digital_twins/${name}/.gitlab-ci.yml`;
    return { name, include: tree.entry(own)?.kind === "file" ? own : sharedPipelineFile };
  });
  const { text: edited, ...changes } = editPipeline(text ?? "", wanted, pipelineFile);
  const needsShared = wanted.some(
    ({ name, include }) => include === sharedPipelineFile && !changes.theirs.includes(name),
  );
  const files = edited === (text ?? "") ? [] : [{ path: pipelineFile, content: edited }];
  if (needsShared && tree.entry(sharedPipelineFile) === undefined) {
    files.push({ path: sharedPipelineFile, content: sharedPipeline(library) });
  }
  return { ...changes, files };
}

function sharedPipeline(library: string): string {
  return `# The jobs of one twin, which ${pipelineFile} triggers with DTName. Written once by DTaaS, and yours to change from then on.
# For a runner of your own add a line: default: { tags: [$RunnerTag] }
include:
  - { project: ${JSON.stringify(library)}, file: templates/twins.yml }
`;
}
