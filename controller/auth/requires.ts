import type { Request, RequestHandler, Response } from "express";
import { ActionNeededError } from "#core/errors";
import { type Caller, type Callers, tokenOf } from "./caller.ts";
import type { Action } from "./decide.ts";
import type { Rights } from "./rights.ts";
import type { SignIn } from "./sign-in.ts";

/**
 * What a request asks about.
 * - `platform`: the platform itself; `user`: the project of the user in the path;
 * - `each`: several projects; the route leaves out what the caller may not see;
 * - a function: finds the project's full path; `undefined` is answered like a project that is not there.
 */
export type Resource = "platform" | "user" | "each" | ((request: Request) => Promise<string | undefined>);

/** The caller that `requires` has identified. */
export function callerOf(response: Response): Caller {
  const caller = response.locals["caller"] as Caller | undefined;
  if (!caller) throw new Error("a route asks for the caller without `requires`");
  return caller;
}

export interface RequiresDeps {
  callers: Pick<Callers, "find">;
  rights: Rights;
  /** Absent: people use access tokens only. */
  signIn?: Pick<SignIn, "caller"> | undefined;
}

/**
 * Every route goes through this: who asks, and may they. What the caller may not see is answered as if it were not
 * there. Errors: `TOKEN_MISSING`, `TOKEN_REFUSED`, `CI_TOKEN_REFUSED`, `SIGN_IN_OVER`, `FOREIGN_REQUEST`, `NOT_FOUND`,
 * `NOT_ALLOWED`.
 */
export function requires(deps: RequiresDeps, action: Action, resource: Resource): RequestHandler {
  return async (request, response, next) => {
    const caller = await identify(deps, request);
    response.locals["caller"] = caller;
    if (resource !== "each") {
      const project = await projectOf(deps.rights, resource, request);
      const decision = await deps.rights.decide(caller, action, project);
      if (decision === "hidden") throw notFound();
      if (decision === "denied") throw notAllowed(caller, action, project);
    }
    next();
  };
}

/** By the token that a request carries; one without may come from a browser that somebody has signed in with. */
async function identify({ callers, signIn }: RequiresDeps, request: Request): Promise<Caller> {
  const token = tokenOf(request.headers);
  if (token === undefined) {
    const caller = await signIn?.caller(request, callers);
    if (caller) return caller;
    throw new ActionNeededError("TOKEN_MISSING", "this needs a personal access token of the Git host", {
      hint: `send the header \`Authorization: Bearer <token>\`; for the command line set DTAAS_TOKEN${signIn ? "; with a browser sign in at /auth/login" : ""}`,
    });
  }
  const caller = await callers.find(token);
  if (caller) return caller;
  throw new ActionNeededError("TOKEN_REFUSED", "the Git host does not know this token, or it has expired", {
    hint: "make a new personal access token on the Git host",
  });
}

async function projectOf(rights: Rights, resource: Resource, request: Request): Promise<string | undefined> {
  if (typeof resource === "function") return await resource(request);
  if (resource !== "user") return undefined;
  const user = request.params["user"];
  return typeof user === "string" ? rights.projectOf(user) : undefined;
}

function notFound(): ActionNeededError {
  return new ActionNeededError("NOT_FOUND", "there is no such thing, or you may not see it", {
    hint: "check the name; your access is your membership in the project on the Git host",
  });
}

function notAllowed(caller: Caller, action: Action, project: string | undefined): ActionNeededError {
  const where = project ?? "the platform project";
  const who = caller.job ? `job ${caller.job.jobId} of ${caller.user.username}` : caller.user.username;
  return new ActionNeededError("NOT_ALLOWED", `${who} may not ${accessWords[action]} in ${where}`, {
    hint: caller.job
      ? "a job runs and sees operations of its own project, as far as its user may"
      : "ask a maintainer of the project for a higher role",
  });
}

/** What somebody may not do: "may not ... in this project". */
export const accessWords: Record<Action, string> = {
  identify: "ask who they are",
  see: "see what runs",
  operate: "run or cancel operations",
  "change-state": "start or stop twins",
  "change-files": "change files",
  "manage-secrets": "manage secrets",
  work: "use somebody else's workspace, or their own without a developer's role,",
  delete: "delete",
  "see-pipelines": "see pipelines",
  "run-pipelines": "run pipelines",
  administer: "administer",
};
