import type { ForgeContext } from "../forge-context.ts";
import { parseTag } from "../git/tag.ts";
import { commitJson } from "../repository/commit-json.ts";
import type { ProjectRecord } from "../store/records.ts";
import type { Tag } from "./list-tags.ts";

export async function tagJson(context: ForgeContext, project: ProjectRecord, tag: Tag) {
  const gitDir = context.repositories.path(project.id);
  const light = await context.objects.commit(gitDir, tag.target);
  const commit = light ?? (await context.objects.resolve(gitDir, `refs/tags/${tag.name}`));
  const annotation = light ? undefined : await context.git.run(gitDir, ["cat-file", "tag", tag.target]);
  const message = annotation?.code === 0 ? parseTag(annotation.stdout.toString("utf8"))?.message : undefined;
  return {
    name: tag.name,
    message: message ?? "",
    target: tag.target,
    commit: commit ? commitJson(context, project, commit) : null,
    release: null,
    protected: false,
    created_at: commit?.committer.date ?? null,
  };
}
