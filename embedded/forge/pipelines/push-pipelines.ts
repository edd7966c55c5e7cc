import { messageOf } from "#core/errors";
import type { ForgeContext } from "../forge-context.ts";
import { zeroId } from "../git/ref-name.ts";
import { ApiError } from "../http/api-error.ts";
import type { Push, RefChange } from "../repository/refs-changed.ts";
import { changedFiles } from "./changed-files.ts";
import type { GivenVariable } from "./ci-records.ts";
import { createPipeline, maxGivenVariables } from "./create-pipeline.ts";

const maxRefs = 4; // of one push; more make no pipelines, as in GitLab

/** Pipelines of a push, in the background: one for each branch and tag, unless it is skipped by an option or in the commit's message. */
export function createPushPipelines(context: ForgeContext, push: Push): void {
  if (!context.ci.exchange || push.pushOptions.includes("ci.skip")) return;
  const changes = push.changes.filter(
    ({ ref, after }) => /^refs\/(heads|tags)\//.test(ref) && after !== zeroId,
  );
  if (changes.length === 0 || changes.length > maxRefs) return;
  for (const change of changes) {
    context.ci.inBackground("no pipeline could be made of a push", () => create(context, push, change));
  }
}

async function create(context: ForgeContext, push: Push, { ref, before, after }: RefChange): Promise<void> {
  const { project, user } = push;
  const gitDir = context.repositories.path(project.id);
  const commit = await context.objects.resolve(gitDir, after);
  if (!commit || /\[(ci skip|skip ci)\]/i.test(commit.message)) return;
  const tag = ref.startsWith("refs/tags/");
  const changed = tag || before === zeroId ? undefined : await changedFiles(context, gitDir, before, after);
  try {
    await createPipeline(context, {
      project: context.store.projects.get(project.id) ?? project,
      user,
      ref: ref.replace(/^refs\/(heads|tags)\//, ""),
      tag,
      sha: commit.id,
      beforeSha: before,
      source: "push",
      variables: givenByOptions(push.pushOptions),
      inputs: inputsOf(push.pushOptions),
      keepsErrors: true,
      ...(changed === undefined ? {} : { changed }),
    });
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    context.logger.info({ project: project.id, ref, err: messageOf(error) }, "a push makes no pipeline");
  }
}

/** `ci.variable=KEY=value`, with quotes around it or without. */
function givenByOptions(options: readonly string[]): GivenVariable[] {
  return pairs(options, "ci.variable=")
    .filter(([key]) => /^[A-Za-z_]\w*$/.test(key))
    .slice(0, maxGivenVariables)
    .map(([key, value]) => ({ key, value, type: "env_var", raw: false }));
}

function inputsOf(options: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(pairs(options, "ci.input="));
}

function pairs(options: readonly string[], prefix: string): [string, string][] {
  return options
    .filter((option) => option.startsWith(prefix))
    .flatMap((option): [string, string][] => {
      const text = option.slice(prefix.length).replace(/^"(.*)"$/s, "$1");
      const at = text.indexOf("=");
      return at < 1 ? [] : [[text.slice(0, at), text.slice(at + 1)]];
    });
}
