import { pipeline } from "node:stream/promises";
import type { Request, Response } from "express";
import type { ForgeContext } from "../forge-context.ts";
import { type GitService, gitRefusal } from "../git-http/git-access.ts";
import type { GitCaller, GitDeployToken } from "../git-http/git-caller.ts";
import type { ProjectRecord } from "../store/records.ts";
import { LfsObjects, oidPattern } from "./lfs-objects.ts";

const maxObjectBytes = 2 * 1024 ** 3; // as much as one revision may have when it is checked out
const maxBodyBytes = 1024 * 1024; // a batch of a thousand objects has 100 KiB
const maxObjectsPerBatch = 1_000;
const mediaType = "application/vnd.git-lfs+json";

export interface LfsRequest {
  /** Behind `/<full path>.git/info/lfs/`. */
  rest: string;
  project: ProjectRecord | undefined;
  caller: GitCaller | GitDeployToken | "stranger" | undefined;
}

interface LfsObject {
  oid: string;
  size: number;
}

/**
 * The Git LFS API: batch with the basic transfer, verification, and the transfers themselves. Whoever may clone may
 * download, whoever may push may upload; an object belongs to the project that it was uploaded to.
 */
export async function serveLfs(
  context: ForgeContext,
  { rest, project, caller }: LfsRequest,
  request: Request,
  response: Response,
): Promise<void> {
  const allowed = (service: GitService): ProjectRecord | undefined => {
    const refusal = gitRefusal(context, project, caller, service);
    if (!refusal && project) return project;
    if (refusal?.status === 401) {
      response.set({
        "www-authenticate": 'Basic realm="GitLab"',
        "lfs-authenticate": 'Basic realm="GitLab"',
      });
    }
    say(response, refusal?.status ?? 404, refusal?.text ?? "Not found");
    return undefined;
  };
  const [, oid = "", verify] = /^objects\/([0-9a-f]{64})(\/verify)?$/.exec(rest) ?? [];
  if (rest === "objects/batch" && request.method === "POST") {
    const found = allowed("git-upload-pack"); // nothing is read from somebody who may not even download
    if (!found) return;
    const body = await readJson(request);
    if (body?.["operation"] === "upload" && !allowed("git-receive-pack")) return;
    await answerBatch(context, found, body, request, response);
  } else if (oid !== "" && verify && request.method === "POST") {
    const found = allowed("git-receive-pack");
    if (!found) return;
    const body = await readJson(request);
    const size = await objectsOf(context, found).size(oid);
    if (size !== undefined && size === body?.["size"]) response.status(200).end();
    else say(response, 404, "The object is not there, or has another size");
  } else if (oid !== "" && !verify && request.method === "GET") {
    const found = allowed("git-upload-pack");
    if (found) await download(objectsOf(context, found), oid, response);
  } else if (oid !== "" && !verify && request.method === "PUT") {
    const found = allowed("git-receive-pack");
    if (found) await upload(objectsOf(context, found), oid, request, response);
  } else {
    say(response, 404, "Not found"); // locks among others: git-lfs goes on without them
  }
}

async function answerBatch(
  context: ForgeContext,
  project: ProjectRecord,
  body: Record<string, unknown> | undefined,
  request: Request,
  response: Response,
): Promise<void> {
  const operation = body?.["operation"];
  const objects = objectsIn(body?.["objects"]);
  const transfers = body?.["transfers"] ?? ["basic"];
  if ((operation !== "download" && operation !== "upload") || !objects) {
    say(
      response,
      422,
      `A batch has an operation and at most ${maxObjectsPerBatch} objects with oid and size`,
    );
    return;
  }
  if (
    !Array.isArray(transfers) ||
    !transfers.includes("basic") ||
    (body?.["hash_algo"] ?? "sha256") !== "sha256"
  ) {
    say(response, 422, "Only the transfer basic and the hash sha256 are known here");
    return;
  }
  const store = objectsOf(context, project);
  const base = `${context.url}/${project.fullPath}.git/info/lfs/objects`;
  const authorization = request.get("authorization");
  const header = authorization === undefined ? {} : { header: { Authorization: authorization } };
  const action = (path: string) => ({ href: `${base}/${path}`, ...header });
  const answers = objects.map(async ({ oid, size }) => {
    const there = await store.size(oid);
    const about = { oid, size: there ?? size, authenticated: true };
    if (operation === "download") {
      if (there === undefined) return { oid, size, error: { code: 404, message: "Object does not exist" } };
      return { ...about, actions: { download: action(oid) } };
    }
    if (there !== undefined) return about;
    if (size > maxObjectBytes) {
      const message = `Object is larger than ${maxObjectBytes} bytes`;
      return { oid, size, error: { code: 422, message } };
    }
    return { ...about, actions: { upload: action(oid), verify: action(`${oid}/verify`) } };
  });
  response
    .status(200)
    .type(mediaType)
    .send(JSON.stringify({ transfer: "basic", hash_algo: "sha256", objects: await Promise.all(answers) }));
}

async function download(store: LfsObjects, oid: string, response: Response): Promise<void> {
  const size = await store.size(oid);
  if (size === undefined) {
    say(response, 404, "Object does not exist");
    return;
  }
  response.set({ "content-type": "application/octet-stream", "content-length": String(size) });
  await pipeline(store.read(oid), response);
}

async function upload(store: LfsObjects, oid: string, request: Request, response: Response): Promise<void> {
  const result = await store.write(oid, request, maxObjectBytes);
  if (result === "kept") response.status(200).end();
  else if (result === "too large") say(response, 413, `Object is larger than ${maxObjectBytes} bytes`);
  else say(response, 422, "What was sent is not what its id says");
}

function objectsOf(context: ForgeContext, project: ProjectRecord): LfsObjects {
  return new LfsObjects(context.repositories.path(project.id));
}

function objectsIn(value: unknown): LfsObject[] | undefined {
  if (!Array.isArray(value) || value.length > maxObjectsPerBatch) return undefined;
  const objects = value.map((entry: unknown) => {
    const { oid, size } = (entry ?? {}) as Partial<LfsObject>;
    const isGood = typeof oid === "string" && oidPattern.test(oid) && Number.isSafeInteger(size);
    return isGood && (size ?? -1) >= 0 ? { oid, size: size ?? 0 } : undefined;
  });
  return objects.every((object) => object !== undefined) ? objects : undefined;
}

/** The body as a JSON object; `undefined` for anything else and for what is too large. */
async function readJson(request: Request): Promise<Record<string, unknown> | undefined> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of request as AsyncIterable<Uint8Array>) {
    bytes += piece.byteLength;
    if (bytes > maxBodyBytes) return undefined;
    pieces.push(piece);
  }
  try {
    const value: unknown = JSON.parse(Buffer.concat(pieces).toString("utf8"));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function say(response: Response, status: number, message: string): void {
  response.status(status).type(mediaType).send(JSON.stringify({ message }));
}
