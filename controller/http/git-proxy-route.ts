import { createHash, timingSafeEqual } from "node:crypto";
import { request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from "node:http";
import { request as httpsRequest } from "node:https";
import { pipeline } from "node:stream/promises";
import type { Request, RequestHandler, Response } from "express";
import { messageOf, TryLaterError } from "#core/errors";
import type { Logger } from "#core/logger";
import type { WorkspaceRequest } from "#schemas/workspace-state";
import { accessLevels } from "../auth/decide.ts";
import type { Memberships } from "../auth/memberships.ts";
import type { Forge } from "../forge/forge.ts";
import { isSafeName } from "../reading/safe-name.ts";

const idleMs = 15 * 60_000; // a host may work in silence on a large push
const maxTransfers = 8; // of one workspace at the same time; Git itself uses one
// The whole address, as it is sent: nothing in it is decoded, so that there is one way to write each.
const address =
  /^\/git\/([A-Za-z0-9_.-]+(?:\/[A-Za-z0-9_.-]+)+)\.git\/(?:(info\/refs)\?service=(git-upload-pack|git-receive-pack)|(git-upload-pack|git-receive-pack))$/;
// What may travel; whatever else a client says is not for the Git host.
const requestHeaders = [
  "accept",
  "accept-encoding",
  "content-type",
  "content-encoding",
  "git-protocol",
  "user-agent",
];
const answerHeaders = ["content-type", "content-encoding", "cache-control", "expires", "pragma"];

export interface GitProxyDeps {
  workspaces: { request(user: string): Promise<WorkspaceRequest | undefined> };
  forge: Pick<Forge, "gitAccess">;
  memberships: Pick<Memberships, "project" | "level">;
  logger: Logger;
}

type Service = "git-upload-pack" | "git-receive-pack";
class Refusal extends Error {
  readonly status: number;

  constructor(status: number, text: string) {
    super(text);
    this.status = status;
  }
}

/**
 * `/git/<group>/<user>.git/...`: Git of a workspace, streamed to the Git host with the platform's own credentials, which the
 * workspace never sees. The workspace shows the token of its session and reaches its own project only; what its user may do
 * is asked of the Git host each time. Must stand before everything that reads bodies.
 */
export function gitProxyRoute(deps: GitProxyDeps): RequestHandler {
  const transfers = new Map<string, number>();
  return async (request, response, next) => {
    if (!request.url.startsWith("/git/")) return next();
    response.locals["route"] = "/git";
    response.locals["isStream"] = true;
    let user: string | undefined;
    try {
      const { project, service, isAdvertisement } = readAddress(request);
      const workspace = await authenticate(deps, request);
      if (project !== workspace.repository.project) {
        throw new Refusal(404, "A workspace reaches the repository of its own user only.");
      }
      await authorise(deps, workspace, service);
      const open = transfers.get(workspace.user) ?? 0;
      if (open >= maxTransfers) throw new Refusal(429, "Too many transfers at once; wait for one to end.");
      user = workspace.user;
      transfers.set(user, open + 1);
      await forward(deps, request, response, { project, service, isAdvertisement });
    } catch (error) {
      answerError(deps.logger, error, request, response);
    } finally {
      if (user !== undefined) transfers.set(user, (transfers.get(user) ?? 1) - 1);
    }
  };
}

function readAddress(request: Request): { project: string; service: Service; isAdvertisement: boolean } {
  const [, project, refs, advertised, asked] = address.exec(request.url) ?? [];
  const service = (advertised ?? asked) as Service | undefined;
  const isAdvertisement = refs !== undefined;
  const isPlain = project?.split("/").every((part) => !/^\.{1,2}$/.test(part)) ?? false;
  if (
    project === undefined ||
    !service ||
    !isPlain ||
    request.method !== (isAdvertisement ? "GET" : "POST")
  ) {
    throw new Refusal(404, "There is no such repository here.");
  }
  return { project, service, isAdvertisement };
}

/** Whose workspace asks: `Basic <user>:<token of the session>`. A session that is over opens nothing. */
async function authenticate(deps: GitProxyDeps, request: Request): Promise<WorkspaceRequest> {
  const encoded = /^Basic +([A-Za-z0-9+/=]{1,1024})$/i.exec(request.get("authorization") ?? "")?.[1] ?? "";
  const [, user = "", token = ""] =
    /^([^:]*):(.*)$/s.exec(Buffer.from(encoded, "base64").toString("utf8")) ?? [];
  const workspace = isSafeName(user) ? await deps.workspaces.request(user) : undefined;
  const isGood = isSame(token, workspace?.gitToken ?? "") && workspace?.state === "running";
  if (workspace && isGood) return workspace;
  throw new Refusal(401, "This needs the token of a workspace that runs.");
}

/** What the user may do now, by the Git host's word. The platform's account may push more than a developer. */
async function authorise(deps: GitProxyDeps, workspace: WorkspaceRequest, service: Service): Promise<void> {
  const { repository, owner, user } = workspace;
  const level = await deps.memberships.level(repository.project, owner.id);
  const needed = service === "git-receive-pack" ? accessLevels.maintainer : accessLevels.developer;
  if (level >= needed) return;
  const verb = service === "git-receive-pack" ? "push to" : "read";
  const role = service === "git-receive-pack" ? "maintainer" : "developer";
  throw new Refusal(
    403,
    `${user} may not ${verb} ${repository.project} from a workspace: it takes the role of a ${role}.`,
  );
}

async function forward(
  deps: GitProxyDeps,
  request: Request,
  response: Response,
  { project, service, isAdvertisement }: { project: string; service: Service; isAdvertisement: boolean },
): Promise<void> {
  const found = await deps.memberships.project(project);
  if (!found) throw new Refusal(404, "The Git host has no such project.");
  const { url, username, password } = deps.forge.gitAccess(found);
  const target = new URL(`${url}/${isAdvertisement ? `info/refs?service=${service}` : service}`);
  const send = target.protocol === "https:" ? httpsRequest : httpRequest;
  const headers: OutgoingHttpHeaders = {
    ...picked(request.headers, requestHeaders),
    authorization: `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`,
  };
  if (request.headers["content-length"] !== undefined)
    headers["content-length"] = request.headers["content-length"];
  const outgoing = send(target, { method: request.method, headers, agent: false });
  outgoing.setTimeout(idleMs, () => outgoing.destroy(new Error("the Git host is silent")));
  response.once("close", () => {
    if (!response.writableFinished) outgoing.destroy();
  });
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once("response", resolve);
    outgoing.once("error", reject);
  });
  if (isAdvertisement) outgoing.end();
  // An answer may come before everything has been sent; a failure to send is told by the answer's absence.
  else pipeline(request, outgoing).catch(() => undefined);
  const answer = await answered.catch((error: unknown) => {
    deps.logger.warn(
      { project, err: messageOf(error) },
      "Git of a workspace: the Git host cannot be reached",
    );
    throw new Refusal(502, "The Git host cannot be reached now; try again soon.");
  });
  const status = answer.statusCode ?? 502;
  if (status === 401 || (status >= 300 && status < 400)) {
    // Nowhere else is what the platform's credentials are for; and that they were refused is nothing the user can mend.
    answer.resume();
    deps.logger.warn({ project, status }, "Git of a workspace: the Git host does not serve it");
    throw new Refusal(
      502,
      "The Git host does not serve this to the platform; its administrators can find out why.",
    );
  }
  response.writeHead(status, picked(answer.headers, answerHeaders));
  await pipeline(answer, response);
}

function picked(headers: IncomingMessage["headers"], names: readonly string[]): OutgoingHttpHeaders {
  return Object.fromEntries(
    names.flatMap((name) => (headers[name] === undefined ? [] : [[name, headers[name]]])),
  );
}

/** In plain text, which is what git shows to people. */
function answerError(logger: Logger, error: unknown, request: Request, response: Response): void {
  if (response.headersSent) {
    logger.debug({ err: messageOf(error) }, "a Git transfer of a workspace broke off");
    response.destroy();
    return;
  }
  if (!request.readableEnded) response.set("Connection", "close"); // what was not read must not be taken for the next request
  const later = error instanceof TryLaterError;
  if (!(error instanceof Refusal) && !later) logger.error({ err: error }, "Git of a workspace failed");
  const status = error instanceof Refusal ? error.status : later ? 503 : 500;
  if (status === 401) response.set("WWW-Authenticate", 'Basic realm="workspace"');
  const text =
    error instanceof Refusal || later ? error.message : "Something went wrong inside the platform.";
  response.status(status).type("text/plain").send(`${text}\n`);
}

function isSame(given: string, expected: string): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return expected !== "" && timingSafeEqual(digest(given), digest(expected));
}
