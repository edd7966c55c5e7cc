import { Router } from "express";
import type { ForgeContext } from "../forge-context.ts";
import { emptyTree } from "../git/empty-tree.ts";
import { mergeBase } from "../git/merge-base.ts";
import { badRequest, notImplemented } from "../http/api-error.ts";
import { paginate } from "../http/pagination.ts";
import { Parameters, pathParameter } from "../http/parameters.ts";
import { findProject } from "../projects/find-project.ts";
import { webUrl } from "../projects/project-json.ts";
import { commitJson } from "../repository/commit-json.ts";
import { findCommit } from "../repository/find-commit.ts";
import { diffJson } from "./diff-json.ts";
import { readDiff } from "./read-diff.ts";

const maxCommits = 1_000; // the newest; each is read on its own

/** `compare`, `merge_base` and a commit's `diff` and `refs`, below `/projects/:id/repository`. */
export function compareRoutes(context: ForgeContext): Router {
  const { git, objects, repositories } = context;
  const routes = Router({ caseSensitive: true });
  const base = "/projects/:id/repository";

  routes.get(`${base}/compare`, async (request, response) => {
    const project = findProject(context, request, "code");
    const parameters = Parameters.of(request);
    const names = { from: parameters.requiredFilled("from"), to: parameters.requiredFilled("to") };
    const other = parameters.integer("from_project_id") ?? project.id;
    if (other !== project.id) throw notImplemented("comparing with another project");
    const isStraight = parameters.boolean("straight") ?? false;
    const unidiff = parameters.boolean("unidiff") ?? false;
    const gitDir = repositories.path(project.id);
    const from = await findCommit(context, project, names.from, "Ref");
    const to = await findCommit(context, project, names.to, "Ref");
    const shared = isStraight ? undefined : await mergeBase(git, gitDir, [from.id, to.id]);
    const [diff, listed] = await Promise.all([
      readDiff(git, gitDir, shared ?? from.id, to.id),
      git.text(gitDir, ["rev-list", `--max-count=${maxCommits}`, to.id, `^${from.id}`, "--"]),
    ]);
    const ids = listed.split("\n").filter(Boolean).reverse();
    const commits = await Promise.all(ids.map((id) => objects.commit(gitDir, id)));
    const json = commits.flatMap((commit) => (commit ? [commitJson(context, project, commit)] : []));
    const dots = isStraight ? ".." : "...";
    response.json({
      commit: json.at(-1) ?? null,
      commits: json,
      diffs: diff.files.map((file) => diffJson(file, unidiff)),
      compare_timeout: diff.isOverflow,
      compare_same_ref: names.from === names.to,
      web_url: `${webUrl(context, project)}/-/compare/${encodeURI(names.from)}${dots}${encodeURI(names.to)}`,
    });
  });

  routes.get(`${base}/merge_base`, async (request, response) => {
    const project = findProject(context, request, "code");
    const refs = Parameters.of(request).texts("refs") ?? [];
    if (refs.length < 2) throw badRequest("Provide at least 2 refs");
    const gitDir = repositories.path(project.id);
    const commits = await Promise.all(refs.map((ref) => objects.resolve(gitDir, ref)));
    const unknown = refs.filter((_ref, index) => !commits[index]);
    if (unknown.length > 0) {
      throw badRequest(`Could not find ref${unknown.length > 1 ? "s" : ""}: ${unknown.join(", ")}`);
    }
    const found = await mergeBase(
      git,
      gitDir,
      commits.flatMap((commit) => commit?.id ?? []),
    );
    const commit = found && (await objects.commit(gitDir, found));
    response.json(commit ? commitJson(context, project, commit) : null);
  });

  routes.get(`${base}/commits/:sha/diff`, async (request, response) => {
    const project = findProject(context, request, "code");
    const unidiff = Parameters.of(request).boolean("unidiff") ?? false;
    const commit = await findCommit(context, project, pathParameter(request, "sha"));
    const gitDir = repositories.path(project.id);
    const diff = await readDiff(git, gitDir, commit.parents[0] ?? emptyTree, commit.id);
    response.json(paginate(context, request, response, diff.files).map((file) => diffJson(file, unidiff)));
  });

  routes.get(`${base}/commits/:sha/refs`, async (request, response) => {
    const project = findProject(context, request, "code");
    const type = Parameters.of(request).choice("type", ["branch", "tag", "all"]) ?? "all";
    const commit = await findCommit(context, project, pathParameter(request, "sha"));
    const folders = [type !== "tag" && "refs/heads/", type !== "branch" && "refs/tags/"].filter(
      (each) => each !== false,
    );
    const listed = await git.text(repositories.path(project.id), [
      "for-each-ref",
      "--format=%(refname)",
      `--contains=${commit.id}`,
      ...folders,
    ]);
    const refs = listed.split("\n").filter(Boolean).map(refJson);
    response.json(paginate(context, request, response, refs));
  });

  return routes;
}

function refJson(ref: string): { type: "branch" | "tag"; name: string } {
  return ref.startsWith("refs/heads/")
    ? { type: "branch", name: ref.slice("refs/heads/".length) }
    : { type: "tag", name: ref.slice("refs/tags/".length) };
}
