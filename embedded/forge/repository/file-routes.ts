import { createHash } from "node:crypto";
import { type Request, type Response, Router } from "express";
import type { ForgeContext } from "../forge-context.ts";
import { badParameter, notFound } from "../http/api-error.ts";
import { Parameters, pathParameter } from "../http/parameters.ts";
import { findProject, findProjectToChange } from "../projects/find-project.ts";
import type { ProjectRecord } from "../store/records.ts";
import { commitFiles } from "./commit-files.ts";
import { startOf } from "./commit-routes.ts";
import { type FileAction, isFilePath } from "./file-actions.ts";
import { fileContent } from "./file-content.ts";
import { findCommit } from "./find-commit.ts";
import { sendRaw } from "./send-raw.ts";
import { treeEntries } from "./tree-entries.ts";

const maxFileBytes = 100 * 1024 * 1024; // a file is answered from memory

/** `/projects/:id/repository/files/:file_path`. */
export function fileRoutes(context: ForgeContext): Router {
  const routes = Router({ caseSensitive: true });
  const base = "/projects/:id/repository/files/:file_path";

  // Express answers HEAD with this too, and leaves the body out.
  routes.get(base, async (request, response) => {
    const ref = Parameters.of(request).requiredFilled("ref");
    const file = await readFile(context, request, ref);
    setFileHeaders(response, file);
    response.json({
      file_name: file.name,
      file_path: file.path,
      size: file.content.length,
      encoding: "base64",
      content_sha256: file.sha256,
      ref: file.ref,
      blob_id: file.blobId,
      commit_id: file.commitId,
      last_commit_id: file.lastCommitId,
      execute_filemode: file.executable,
      content: file.content.toString("base64"),
    });
  });

  routes.get(`${base}/raw`, async (request, response) => {
    const file = await readFile(context, request, Parameters.of(request).filled("ref"));
    setFileHeaders(response, file);
    sendRaw(response, file.content, file.name);
  });

  for (const [method, action, status] of [
    ["post", "create", 201],
    ["put", "update", 200],
    ["delete", "delete", 204],
  ] as const) {
    routes[method](base, async (request, response) => {
      const { project, user } = findProjectToChange(context, request, "developer");
      const parameters = Parameters.of(request);
      const path = pathParameter(request, "file_path");
      const branch = parameters.requiredFilled("branch");
      const message = parameters.required("commit_message");
      const start = startOf(parameters);
      const authorName = parameters.filled("author_name");
      const authorEmail = parameters.filled("author_email");
      const lastCommitId = parameters.filled("last_commit_id");
      const executable = parameters.boolean("execute_filemode");
      const content = action === "delete" ? undefined : fileContent(parameters, true);
      const change: FileAction = {
        action,
        path,
        ...(content && { content }),
        ...(lastCommitId !== undefined && { lastCommitId }),
        ...(executable !== undefined && { executable }),
      };
      await commitFiles(context, project, user, {
        branch,
        message,
        actions: [change],
        ...(start !== undefined && { start }),
        ...(authorName !== undefined && { authorName }),
        ...(authorEmail !== undefined && { authorEmail }),
      });
      if (status === 204) response.status(204).end();
      else response.status(status).json({ file_path: path, branch });
    });
  }

  return routes;
}

interface FileAtRef {
  name: string;
  path: string;
  ref: string;
  content: Buffer;
  sha256: string;
  blobId: string;
  commitId: string;
  lastCommitId: string;
  executable: boolean;
}

async function readFile(
  context: ForgeContext,
  request: Request,
  wantedRef: string | undefined,
): Promise<FileAtRef> {
  const { git, repositories } = context;
  const project: ProjectRecord = findProject(context, request, "code");
  const ref = wantedRef ?? project.defaultBranch;
  const path = pathParameter(request, "file_path");
  if (!isFilePath(path)) throw badParameter("file_path should be a valid file path");
  const commit = await findCommit(context, project, ref);
  const gitDir = repositories.path(project.id);
  const [entry] = await treeEntries(git, gitDir, commit.id, [path]);
  if (entry?.type !== "blob") throw notFound("File");
  const [blob, last] = await Promise.all([
    git.run(gitDir, ["cat-file", "blob", entry.id], { maxOutputBytes: maxFileBytes }),
    git.text(gitDir, ["log", "--max-count=1", "--format=%H", commit.id, "--", path]),
  ]);
  return {
    name: path.slice(path.lastIndexOf("/") + 1),
    path,
    ref,
    content: blob.stdout,
    sha256: createHash("sha256").update(blob.stdout).digest("hex"),
    blobId: entry.id,
    commitId: commit.id,
    lastCommitId: last.trim(),
    executable: entry.mode === "100755",
  };
}

function setFileHeaders(response: Response, file: FileAtRef): void {
  response.set("x-gitlab-blob-id", file.blobId);
  response.set("x-gitlab-commit-id", file.commitId);
  response.set("x-gitlab-content-sha256", file.sha256);
  response.set("x-gitlab-encoding", "base64");
  response.set("x-gitlab-file-name", encodeURIComponent(file.name));
  response.set("x-gitlab-file-path", encodeURI(file.path));
  response.set("x-gitlab-last-commit-id", file.lastCommitId);
  response.set("x-gitlab-execute-filemode", String(file.executable));
  response.set("x-gitlab-ref", encodeURI(file.ref));
  response.set("x-gitlab-size", String(file.content.length));
}
