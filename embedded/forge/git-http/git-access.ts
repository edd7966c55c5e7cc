import { accessLevels } from "../access/access-level.ts";
import { canReadCode, canSeeProject, projectLevel } from "../access/rights.ts";
import { deployTokenReaches } from "../deploy-tokens/deploy-token.ts";
import type { ForgeContext } from "../forge-context.ts";
import type { ProjectRecord } from "../store/records.ts";
import type { GitCaller, GitDeployToken } from "./git-caller.ts";

export type GitService = "git-upload-pack" | "git-receive-pack";

export interface GitRefusal {
  status: 401 | 403 | 404;
  text: string;
}

const challenge: GitRefusal = {
  status: 401,
  text: "HTTP Basic: Access denied. Use your user name with your password, or with an access token as the password.",
};
const unknown: GitRefusal = {
  status: 404,
  text: "The project you were looking for could not be found or you don't have permission to view it.",
};

/**
 * Why this caller may not use this service on this project; `undefined` when they may. A stranger is always asked
 * who they are first, so that an unknown project cannot be told from a private one.
 */
export function gitRefusal(
  context: ForgeContext,
  project: ProjectRecord | undefined,
  caller: GitCaller | GitDeployToken | "stranger" | undefined,
  service: GitService,
): GitRefusal | undefined {
  const { store, clock } = context;
  if (caller === undefined) return challenge;
  if (caller === "stranger") {
    const open = project?.visibility === "public" && service === "git-upload-pack";
    return open ? undefined : challenge;
  }
  if ("deployToken" in caller) return deployTokenRefusal(context, project, caller, service);
  const { user, scopes } = caller;
  if (!project || !canSeeProject(store, user, project, clock())) return unknown;
  const wanted =
    service === "git-upload-pack"
      ? ["api", "read_repository", "write_repository"]
      : ["api", "write_repository"];
  if (scopes && !wanted.some((scope) => scopes.includes(scope))) {
    return { status: 403, text: `Access denied: the token lacks one of the scopes ${wanted.join(", ")}.` };
  }
  if (service === "git-upload-pack") {
    if (canReadCode(store, user, project, clock())) return undefined;
    return { status: 403, text: "You are not allowed to download code from this project." };
  }
  if (project.archived) {
    return { status: 403, text: "You can't push code to a read-only project: it is archived." };
  }
  if (projectLevel(store, user, project, clock()) < accessLevels.developer) {
    return { status: 403, text: "You are not allowed to push code to this project." };
  }
  return undefined;
}

function deployTokenRefusal(
  context: ForgeContext,
  project: ProjectRecord | undefined,
  { deployToken }: GitDeployToken,
  service: GitService,
): GitRefusal | undefined {
  if (!project || !deployTokenReaches(context.store, deployToken, project)) return unknown;
  if (service === "git-receive-pack") {
    return {
      status: 403,
      text: "You are not allowed to push code to this project: a deploy token only reads.",
    };
  }
  if (deployToken.scopes.includes("read_repository")) return undefined;
  return { status: 403, text: "Access denied: the deploy token lacks the scope read_repository." };
}
