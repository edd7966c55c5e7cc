import { type Request, Router } from "express";
import type { ForgeContext } from "../forge-context.ts";
import { notFound } from "../http/api-error.ts";
import { pathParameter } from "../http/parameters.ts";
import { findProject } from "../projects/find-project.ts";
import { sendRaw } from "../repository/send-raw.ts";

const maxBlobBytes = 100 * 1024 * 1024; // a blob is answered from memory

/** `/projects/:id/repository/blobs/:sha`: contents by object id, whatever branch they are on. */
export function blobRoutes(context: ForgeContext): Router {
  const routes = Router({ caseSensitive: true });
  const base = "/projects/:id/repository/blobs/:sha";

  routes.get(base, async (request, response) => {
    const { sha, content } = await readBlob(context, request);
    response.json({ size: content.length, encoding: "base64", content: content.toString("base64"), sha });
  });

  routes.get(`${base}/raw`, async (request, response) => {
    const { sha, content } = await readBlob(context, request);
    sendRaw(response, content, sha);
  });

  return routes;
}

async function readBlob(context: ForgeContext, request: Request): Promise<{ sha: string; content: Buffer }> {
  const project = findProject(context, request, "code");
  const wanted = pathParameter(request, "sha");
  if (!/^[0-9a-f]{4,40}$/.test(wanted)) throw notFound("Blob");
  const gitDir = context.repositories.path(project.id);
  const named = await context.git.run(gitDir, ["rev-parse", "--verify", "--quiet", `${wanted}^{blob}`]);
  if (named.code !== 0) throw notFound("Blob");
  const sha = named.stdout.toString("utf8").trim();
  const blob = await context.git.run(gitDir, ["cat-file", "blob", sha], { maxOutputBytes: maxBlobBytes });
  if (blob.code !== 0) throw notFound("Blob");
  return { sha, content: blob.stdout };
}
