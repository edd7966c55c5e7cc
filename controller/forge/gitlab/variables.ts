import { ActionNeededError } from "#core/errors";
import type { ForgeProject, ForgeVariable, ListedVariables, VariableChange } from "../forge.ts";
import type { GitLabClient } from "./client.ts";
import { GitLabAnswer, undefinedWhenMissing } from "./errors.ts";

interface VariableReply {
  key: string;
  /** Null for a hidden one. */
  value: string | null;
  variable_type: string;
  protected: boolean;
  masked: boolean;
  hidden?: boolean;
  environment_scope?: string;
}

// What GitLab can mask where references are not expanded: one line without blanks, of at least eight characters.
const maskable = /^\S{8,}$/;

/** See `ForgeVariables.list`. */
export async function listVariables(client: GitLabClient, project: ForgeProject): Promise<ListedVariables> {
  const own = (await client.projectVariables.all(project.id, { perPage: 100 })) as unknown as VariableReply[];
  const variables = own.map((reply) => toVariable(reply, project.path));
  const unreadable: string[] = [];
  for (const group of groupsAround(project.path)) {
    const theirs = await ofGroup(client, group);
    if (theirs === "forbidden") unreadable.push(group);
    else variables.push(...theirs.map((reply) => toVariable(reply, group)));
  }
  const needsBranch = variables.some((variable) => variable.protected);
  const defaultBranchIsProtected = needsBranch && (await isProtected(client, project));
  return { variables, unreadable, defaultBranchIsProtected };
}

/** See `ForgeVariables.set`. A new one is protected where the default branch is, and masked where it can be. */
export async function setVariable(
  client: GitLabClient,
  project: ForgeProject,
  { key, scope, value }: Omit<VariableChange, "token">,
): Promise<{ created: boolean }> {
  const masked = maskable.test(value);
  const filter = { environment_scope: scope };
  try {
    if (await isThere(client, project, key, scope)) {
      // `raw`: as it stands. A `$` in a password is no reference to another variable.
      await client.projectVariables.edit(project.id, key, value, { masked, raw: true, filter } as never);
      return { created: false };
    }
    await client.projectVariables.create(project.id, key, value, {
      masked,
      raw: true,
      protected: await isProtected(client, project),
      environmentScope: scope,
    } as never);
    return { created: true };
  } catch (error) {
    throw refused(error, project);
  }
}

/** See `ForgeVariables.remove`. */
export async function removeVariable(
  client: GitLabClient,
  project: ForgeProject,
  { key, scope }: Omit<VariableChange, "token" | "value">,
): Promise<boolean> {
  try {
    if (!(await isThere(client, project, key, scope))) return false;
    await client.projectVariables.remove(project.id, key, { filter: { environment_scope: scope } } as never);
    return true;
  } catch (error) {
    throw refused(error, project);
  }
}

async function isThere(
  client: GitLabClient,
  project: ForgeProject,
  key: string,
  scope: string,
): Promise<boolean> {
  const all = (await client.projectVariables.all(project.id, { perPage: 100 })) as unknown as VariableReply[];
  return all.some((variable) => variable.key === key && (variable.environment_scope ?? "*") === scope);
}

async function ofGroup(client: GitLabClient, group: string): Promise<VariableReply[] | "forbidden"> {
  try {
    // A personal namespace is no group, and has none.
    const all = await undefinedWhenMissing(client.groupVariables.all(group, { perPage: 100 } as never));
    return (all as unknown as VariableReply[] | undefined) ?? [];
  } catch (error) {
    if (error instanceof ActionNeededError && error.code === "FORGE_FORBIDDEN") return "forbidden";
    throw error;
  }
}

async function isProtected(client: GitLabClient, project: ForgeProject): Promise<boolean> {
  if (project.defaultBranch === undefined) return false;
  const branch = await undefinedWhenMissing(client.branches.show(project.id, project.defaultBranch));
  return branch?.protected === true;
}

/** `a/b/user1` lies in `a/b`, and that in `a`. */
function groupsAround(path: string): string[] {
  const steps = path.split("/").slice(0, -1);
  return steps.map((_, index) => steps.slice(0, steps.length - index).join("/"));
}

function toVariable(reply: VariableReply, of: string): ForgeVariable {
  return {
    key: reply.key,
    value: reply.hidden === true || reply.value === null ? undefined : reply.value,
    kind: reply.variable_type === "file" ? "file" : "variable",
    protected: reply.protected,
    masked: reply.masked,
    scope: reply.environment_scope ?? "*",
    of,
  };
}

/** GitLab's words name the field at fault; the value is not repeated. */
function refused(error: unknown, project: ForgeProject): unknown {
  if (!(error instanceof GitLabAnswer)) return error;
  return new ActionNeededError("VARIABLE_REFUSED", `GitLab refuses the variable: ${error.message}`, {
    hint: `look at the CI/CD variables of ${project.path}`,
    cause: error,
  });
}
