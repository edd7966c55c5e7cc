import type { ForgeContext } from "../forge-context.ts";
import { zeroId } from "../git/ref-name.ts";
import { parseTag } from "../git/tag.ts";
import { isProtected } from "../repository/branch-protection.ts";
import type { Push, RefChange } from "../repository/refs-changed.ts";
import { projectHookJson, repositoryHookJson } from "./project-hook-json.ts";
import { pushedCommits } from "./pushed-commits.ts";

/** The body of a push or tag webhook. */
export async function pushPayload(context: ForgeContext, push: Push, change: RefChange) {
  const { project, user } = push;
  const { ref, before, after } = change;
  const isTag = ref.startsWith("refs/tags/");
  const removed = after === zeroId;
  const gitDir = context.repositories.path(project.id);
  const tag = isTag && !removed ? await readTag(context, gitDir, after) : undefined;
  const checkoutSha = removed ? null : (tag?.target ?? after);
  const { commits, total } = isTag
    ? await pushedCommits(context, project, { ref, before: zeroId, after: checkoutSha ?? zeroId, limit: 1 })
    : await pushedCommits(context, project, { ref, before, after });
  const name = isTag ? "tag_push" : "push";
  const branch = ref.replace(/^refs\/heads\//, "");
  return {
    object_kind: name,
    event_name: name,
    before,
    after,
    ref,
    ref_protected: !isTag && isProtected(project, branch),
    checkout_sha: checkoutSha,
    message: tag?.message ?? null,
    user_id: user.id,
    user_name: user.name,
    user_username: user.username,
    user_email: null,
    user_avatar: null,
    project_id: project.id,
    project: projectHookJson(context, project),
    commits,
    total_commits_count: total,
    push_options: pushOptionsJson(push.pushOptions),
    repository: repositoryHookJson(context, project),
  };
}

/** What an annotated tag points at and says; `undefined` for a light one. */
async function readTag(context: ForgeContext, gitDir: string, id: string) {
  const result = await context.git.run(gitDir, ["cat-file", "tag", id]);
  return result.code === 0 ? parseTag(result.stdout.toString("utf8")) : undefined;
}

/** `ci.skip` becomes `{ "ci": { "skip": true } }`, `ci.variable=K=V` a count per value, as GitLab has it. */
export function pushOptionsJson(options: readonly string[]): Record<string, Record<string, unknown>> {
  const json: Record<string, Record<string, unknown>> = {};
  for (const option of options) {
    const match = /^(ci|merge_request|mr|secret_push_protection|integrations)\.([a-z_]+)(?:=(.*))?$/s.exec(
      option,
    );
    const [, space = "", key = "", value] = match ?? [];
    if (!match) continue;
    json[space] ??= {};
    const section = json[space];
    if (space === "ci" && (key === "variable" || key === "input")) {
      const counts = (section[key] ?? {}) as Record<string, number>;
      const name = (value ?? "").replace(/^"(.*)"$/s, "$1");
      section[key] = { ...counts, [name]: (counts[name] ?? 0) + 1 };
    } else section[key] = value ?? true;
  }
  return json;
}
