import { messageOf } from "#core/errors";
import { canReadCode } from "../access/rights.ts";
import type { ForgeContext } from "../forge-context.ts";
import { zeroId } from "../git/ref-name.ts";
import { ApiError } from "../http/api-error.ts";
import type { Push } from "../repository/refs-changed.ts";
import type { MergeRequestRecord } from "../store/merge-request-records.ts";
import type { ProjectRecord } from "../store/records.ts";
import { changeMergeRequest } from "./change-merge-request.ts";
import { createMergeRequest } from "./create-merge-request.ts";
import { mergeRequestUrl } from "./merge-request-payload.ts";

const maxBranches = 10; // GitLab's; more in one push are left alone
const maxTitle = 200; // characters, so that `Draft:` still fits in front
const heads = "refs/heads/";

/**
 * Carries out `git push -o merge_request.create` and its like. The lines are what git prints to whoever pushed: where the
 * branch's merge requests are, or what went wrong.
 */
export async function followPushOptions(context: ForgeContext, push: Push): Promise<string[]> {
  const wanted = mergeRequestOptions(push.pushOptions);
  const pushed = push.changes.filter(({ ref, after }) => ref.startsWith(heads) && after !== zeroId);
  const lines: string[] = [];
  for (const { ref, after } of pushed.slice(0, maxBranches)) {
    const branch = ref.slice(heads.length);
    if (wanted.size > 0) {
      try {
        await carryOut(context, push, { branch, head: after, wanted });
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        const names = [...wanted.keys()].map((name) => `'merge_request.${name}'`).join(", ");
        lines.push("", "WARNINGS:", `Error encountered with push options ${names}: ${reasonOf(error)}`, "");
      }
    }
    for (const each of context.store.mergeRequestsBySource.all(`${push.project.id}:${branch}`)) {
      const target = context.store.projects.get(each.projectId);
      if (!target || !canReadCode(context.store, push.user, target, context.clock())) continue;
      lines.push("", `View merge request for ${branch}:`, `  ${mergeRequestUrl(context, target, each)}`, "");
    }
  }
  return lines;
}

/** `merge_request.title=x` and, as GitLab takes it, `mr.title=x`; what is said several times is kept in its order. */
export function mergeRequestOptions(options: readonly string[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const option of options) {
    const [, key, value = ""] = /^(?:merge_request|mr)\.([a-z_]+)(?:=(.*))?$/s.exec(option) ?? [];
    if (key) found.set(key, [...(found.get(key) ?? []), value.replace(/^"(.*)"$/s, "$1")]);
  }
  return found;
}

interface PushedBranch {
  branch: string;
  head: string;
  wanted: Map<string, string[]>;
}

async function carryOut(
  context: ForgeContext,
  push: Push,
  { branch, head, wanted }: PushedBranch,
): Promise<MergeRequestRecord> {
  const { project, user } = push;
  if (wanted.has("merge_when_pipeline_succeeds") || wanted.has("auto_merge")) {
    throw new ApiError(501, { message: "merging by itself is not part of the embedded forge" });
  }
  const target = targetOf(context, push, wanted.get("target_project")?.at(-1));
  const targetBranch = wanted.get("target")?.at(-1);
  const title = wanted.get("title")?.at(-1);
  const description = wanted.get("description")?.at(-1)?.replaceAll("\\n", "\n");
  const isWanted = (name: string) => wanted.has(name) && wanted.get(name)?.at(-1) !== "false";
  const known = context.store.mergeRequestsBySource
    .all(`${project.id}:${branch}`)
    .find((each) => each.projectId === target.id);
  const common = {
    ...(description !== undefined && { description }),
    ...(isWanted("squash") && { squash: true }),
    ...(isWanted("remove_source_branch") && { removeSourceBranch: true }),
  };
  if (known) {
    const draft = isWanted("draft") ? `Draft: ${title ?? known.title}` : title;
    return await changeMergeRequest(context, known.id, user, {
      ...common,
      ...(draft !== undefined && { title: draft }),
      ...(targetBranch !== undefined && { targetBranch }),
      addLabels: wanted.get("label") ?? [],
      removeLabels: wanted.get("unlabel") ?? [],
    });
  }
  if (!isWanted("create")) {
    const message = `A merge_request.create push option is required to create a merge request for branch ${branch}`;
    throw new ApiError(400, { message });
  }
  const into = targetBranch ?? target.defaultBranch;
  const named = title ?? (await titleFor(context, project, head, branch));
  return await createMergeRequest(context, user, {
    ...common,
    source: project,
    sourceBranch: branch,
    target,
    targetBranch: into,
    title: isWanted("draft") ? `Draft: ${named}` : named,
    labels: wanted.get("label") ?? [],
  });
}

/** The project that is named, else what this is a fork of, else itself. */
function targetOf(context: ForgeContext, { project, user }: Push, named: string | undefined): ProjectRecord {
  const { store, clock } = context;
  const upstream = project.forkedFromId == null ? undefined : store.projects.get(project.forkedFromId);
  const found = named === undefined ? upstream : store.projectsByPath.first(named.toLowerCase());
  if (found && canReadCode(store, user, found, clock())) return found;
  if (named !== undefined) throw new ApiError(404, { message: `project ${named} was not found` });
  return project;
}

/** What the only new commit says, or the branch's name in words. */
async function titleFor(
  context: ForgeContext,
  project: ProjectRecord,
  head: string,
  branch: string,
): Promise<string> {
  const gitDir = context.repositories.path(project.id);
  const others = [`--exclude=${branch}`, "--branches"];
  const args = ["rev-list", "--max-count=2", head, "--not", ...others, "--"];
  const added = (await context.git.text(gitDir, args)).split("\n").filter(Boolean);
  const commit = added.length === 1 ? await context.objects.commit(gitDir, head) : undefined;
  const words = branch.replace(/[-_/]+/g, " ").trim() || branch;
  const title =
    commit?.message.split("\n", 1)[0]?.trim() || `${words.charAt(0).toUpperCase()}${words.slice(1)}`;
  return [...title].slice(0, maxTitle).join("");
}

function reasonOf(error: ApiError): string {
  const { message, error: other } = error.body;
  const text = message ?? other ?? messageOf(error);
  return typeof text === "string" ? text : JSON.stringify(text);
}
