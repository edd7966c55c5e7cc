import type { NextFunction, Request, Response } from "express";
import pLimit from "p-limit";
import type { ForgeContext } from "../forge-context.ts";
import { serveLfs } from "../lfs/serve-lfs.ts";
import { followPushOptions } from "../merge-requests/push-options.ts";
import { refsChanged } from "../repository/refs-changed.ts";
import type { ProjectRecord } from "../store/records.ts";
import { Capabilities } from "./capabilities.ts";
import { type GitService, gitRefusal } from "./git-access.ts";
import { gitCaller } from "./git-caller.ts";
import { protectionFor } from "./protection.ts";
import { readShortBody } from "./read-short-body.ts";
import { servePack, type Transfer } from "./serve-pack.ts";
import { serveRefs } from "./serve-refs.ts";

const transfersAtOnce = 32; // git processes side by side; further clients wait their turn
const addressPattern =
  /^\/(.+?)(?:\.git)?\/(info\/refs|git-upload-pack|git-receive-pack|info\/lfs\/.*|HEAD|objects\/.*)$/;

/** `/<full path>.git/...`: clone, fetch and push. Everything else goes on to the next handler. */
export function gitHttp(context: ForgeContext) {
  const capabilities = new Capabilities(context.git);
  const limit = pLimit(transfersAtOnce);

  return async (request: Request, response: Response, next: NextFunction): Promise<void> => {
    const match = request.path.startsWith("/api/") ? null : addressPattern.exec(request.path);
    if (!match) return next();
    const [, path = "", rest = ""] = match;
    if (rest.startsWith("info/lfs/")) {
      const caller = await gitCaller(context, request);
      const lfs = { rest: rest.slice("info/lfs/".length), project: projectAt(context, path), caller };
      await context.transfers.run(() => serveLfs(context, lfs, request, response));
      return;
    }
    const isAdvertisement = rest === "info/refs";
    const service = serviceOf(isAdvertisement ? request.query["service"] : rest);
    if (!service || request.method !== (isAdvertisement ? "GET" : "POST")) {
      sendText(response, 403, "Git over HTTP needs the smart protocol: use git 1.6.6 or newer.");
      return;
    }
    const project = projectAt(context, path);
    const caller = await gitCaller(context, request);
    const refusal = gitRefusal(context, project, caller, service);
    if (refusal || !project) {
      if (refusal?.status === 401) response.set("www-authenticate", 'Basic realm="GitLab"');
      sendText(response, refusal?.status ?? 404, refusal?.text ?? "");
      return;
    }
    const user = typeof caller === "object" && "user" in caller ? caller.user : undefined;
    const transfer: Transfer = {
      service,
      gitDir: context.repositories.path(project.id),
      isAdvertisement,
      protocol: protocolOf(request),
      environment: service === "git-receive-pack" ? protectionFor(context, project, user) : {},
      body: service === "git-upload-pack" && !isAdvertisement ? await readShortBody(request) : undefined,
    };
    if (await serveRefs(capabilities, transfer, response)) return;
    const transferring = limit(async () => {
      if (response.closed) return; // gave up while it waited for its turn
      await servePack(context, transfer, request, response, async (receipt) => {
        if (!user) return [];
        const push = { project, user, ...receipt };
        await refsChanged(context, push);
        return await followPushOptions(context, push);
      });
    });
    await context.transfers.run(() => transferring);
  };
}

function serviceOf(name: unknown): GitService | undefined {
  return name === "git-upload-pack" || name === "git-receive-pack" ? name : undefined;
}

function projectAt(context: ForgeContext, path: string): ProjectRecord | undefined {
  try {
    return context.store.projectsByPath.first(decodeURIComponent(path).toLowerCase());
  } catch {
    return undefined; // a broken percent code names nothing
  }
}

/** The client's wish for a protocol version, when it is well formed. */
function protocolOf(request: Request): string | undefined {
  const value = request.get("git-protocol");
  return value && /^[a-z0-9=:.-]{1,100}$/i.test(value) ? value : undefined;
}

function sendText(response: Response, status: number, text: string): void {
  response.status(status).type("text/plain").send(`${text}\n`);
}
