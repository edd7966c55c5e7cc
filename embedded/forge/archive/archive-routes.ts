import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Request, type Response, Router } from "express";
import pLimit from "p-limit";
import { messageOf } from "#core/errors";
import type { ForgeContext } from "../forge-context.ts";
import { notFound, notImplemented } from "../http/api-error.ts";
import { Parameters, pathParameter } from "../http/parameters.ts";
import { findProject } from "../projects/find-project.ts";
import { isFilePath } from "../repository/file-actions.ts";
import { findCommit } from "../repository/find-commit.ts";
import { treeEntries } from "../repository/tree-entries.ts";
import { archiveName } from "./archive-name.ts";

const archivesAtOnce = 4; // packing keeps a processor busy
const deadlineMs = 10 * 60_000; // an archive that takes longer is stuck
const base = "/projects/:id/repository/archive";
const formats: Readonly<Record<string, "tar.gz" | "tar" | "zip">> = {
  "tar.gz": "tar.gz",
  tgz: "tar.gz",
  gz: "tar.gz",
  tar: "tar",
  zip: "zip",
};

/** `/projects/:id/repository/archive`: a commit's files in one, made by `git archive` while it is sent. */
export function archiveRoutes(context: ForgeContext): Router {
  const limit = pLimit(archivesAtOnce);
  const routes = Router({ caseSensitive: true });
  for (const path of [base, `${base}.:format`]) {
    routes.get(path, async (request, response) => {
      const archive = await findArchive(context, request);
      response.set(
        "etag",
        `W/"${archive.commit}-${Buffer.from(archive.path).toString("base64url")}-${archive.format}"`,
      );
      response.set("content-type", archive.format === "zip" ? "application/zip" : "application/octet-stream");
      response.set("content-disposition", `attachment; filename="${archive.name}.${archive.format}"`);
      response.set("x-content-type-options", "nosniff");
      if (request.fresh) response.status(304).end();
      else if (request.method === "HEAD") response.end();
      else await context.transfers.run(() => limit(() => sendArchive(context, archive, response)));
    });
  }
  return routes;
}

interface Archive {
  gitDir: string;
  commit: string;
  /** `""` for everything. */
  path: string;
  format: "tar.gz" | "tar" | "zip";
  name: string;
}

async function findArchive(context: ForgeContext, request: Request): Promise<Archive> {
  const project = findProject(context, request, "code");
  const parameters = Parameters.of(request);
  const asked = pathParameter(request, "format") || (parameters.filled("format") ?? "tar.gz");
  const format = Object.hasOwn(formats, asked) ? formats[asked] : undefined;
  if (!format) throw notImplemented(`an archive as ${asked.slice(0, 20)}`);
  if (parameters.texts("exclude_paths")?.length) throw notImplemented("leaving paths out of an archive");
  const ref = parameters.filled("sha") ?? project.defaultBranch;
  const path = (parameters.text("path") ?? "").replace(/^\/+|\/+$/g, "");
  const gitDir = context.repositories.path(project.id);
  const commit = await findCommit(context, project, ref, "File");
  if (path !== "") {
    const found = isFilePath(path) ? await treeEntries(context.git, gitDir, commit.id, [path]) : [];
    if (found.length === 0) throw notFound("File");
  }
  const name = archiveName({ project: project.path, ref, commit: commit.id, path });
  return { gitDir, commit: commit.id, path, format, name };
}

/** A git that fails breaks the answer off, so that nobody takes half an archive for a whole one. */
async function sendArchive(context: ForgeContext, archive: Archive, response: Response): Promise<void> {
  if (response.closed) return; // gave up while it waited for its turn
  const { gitDir, commit, path, format, name } = archive;
  const args = [
    "archive",
    `--format=${format}`,
    `--prefix=${name}/`,
    commit,
    "--",
    ...(path === "" ? [] : [path]),
  ];
  const child = context.git.spawn(gitDir, args, { stdio: ["ignore", "pipe", "ignore"] });
  const ended = new Promise<number>((resolve) => {
    child.on("error", () => resolve(-1));
    child.on("close", (code) => resolve(code ?? -1));
  });
  const deadline = setTimeout(() => child.kill("SIGKILL"), deadlineMs);
  try {
    await pipeline(child.stdout as Readable, response, { end: false });
    const code = await ended;
    if (code !== 0) throw new Error(`git archive ended with ${code}`);
    response.end();
  } catch (error) {
    context.logger.warn({ err: messageOf(error) }, "an archive broke off");
    child.kill("SIGKILL");
    response.destroy();
    await ended;
  } finally {
    clearTimeout(deadline);
  }
}
