import pLimit from "p-limit";
import { ActionNeededError } from "#core/errors";
import type { ForgeProject, ForgeVariable, ListedVariables, VariableChange } from "../forge.ts";
import type { GitHubClient } from "./client.ts";
import { undefinedWhenMissing } from "./errors.ts";
import { at } from "./projects.ts";

const questionsAtOnce = 4;

interface Named {
  name: string;
  /** Absent from secrets: GitHub gives no secret back, to nobody. */
  value?: string;
}

/**
 * Variables and secrets of GitHub Actions: of the repository (`*`), of its environments (their names are the scopes), and those
 * of the organisation that the repository may use. Of secrets the names only.
 */
export async function listVariables(client: GitHubClient, project: ForgeProject): Promise<ListedVariables> {
  const { rest } = client;
  const asked = { ...at(project), per_page: 100 };
  const { owner } = asked;
  // octokit unwraps this list, which its types do not know.
  const listed = client.paginate(rest.repos.getAllEnvironments, asked) as unknown as Promise<Named[]>;
  const environments = await undefinedWhenMissing(listed);
  const limit = pLimit(questionsAtOnce);
  const own = (scope: string, listed: Promise<Named[]>) =>
    listed.then((all) => all.map((one) => toVariable(one, scope, project.path)));
  const ofProject = await Promise.all([
    own(
      "*",
      limit(() => client.paginate(rest.actions.listRepoVariables, asked)),
    ),
    own(
      "*",
      limit(() => client.paginate(rest.actions.listRepoSecrets, asked)),
    ),
    ...(environments ?? []).flatMap(({ name }) => [
      own(
        name,
        limit(() =>
          client.paginate(rest.actions.listEnvironmentVariables, { ...asked, environment_name: name }),
        ),
      ),
      own(
        name,
        limit(() =>
          client.paginate(rest.actions.listEnvironmentSecrets, { ...asked, environment_name: name }),
        ),
      ),
    ]),
  ]);
  const ofOwner = await unlessForbidden(
    Promise.all([
      client.paginate(rest.actions.listRepoOrganizationVariables, asked),
      client.paginate(rest.actions.listRepoOrganizationSecrets, asked),
    ]),
  );
  const theirs = (ofOwner ?? []).flat().map((one: Named) => toVariable(one, "*", owner));
  return {
    variables: [...ofProject.flat(), ...theirs],
    unreadable: ofOwner === undefined ? [owner] : [],
    defaultBranchIsProtected: false, // nothing here is for protected branches only
  };
}

/**
 * Refused. A secret of GitHub Actions could never be read, and so never be given to a twin; a variable of it is shown to
 * everybody who may read the repository, which is no place for a secret.
 */
export function setVariable(project: ForgeProject): Promise<never> {
  return Promise.reject(
    new ActionNeededError(
      "SECRETS_NOT_READABLE",
      "GitHub gives no secret back, so no twin could ever get it",
      {
        hint: `What is not secret can be a variable of GitHub Actions: ${project.webUrl}/settings/variables/actions`,
      },
    ),
  );
}

/** Removes a variable, with the caller's own token; false where there is none. */
export async function removeVariable(
  client: GitHubClient,
  project: ForgeProject,
  { key: name, scope }: Omit<VariableChange, "token" | "value">,
): Promise<boolean> {
  const { actions } = client.rest;
  const removed =
    scope === "*"
      ? actions.deleteRepoVariable({ ...at(project), name })
      : actions.deleteEnvironmentVariable({ ...at(project), name, environment_name: scope });
  return (await undefinedWhenMissing(removed)) !== undefined;
}

/** A repository of a person lies in no organisation, and has none of its variables. */
async function unlessForbidden(asked: Promise<Named[][]>): Promise<Named[][] | undefined> {
  try {
    return (await undefinedWhenMissing(asked)) ?? [];
  } catch (error) {
    if (error instanceof ActionNeededError && error.code === "FORGE_FORBIDDEN") return undefined;
    throw error;
  }
}

function toVariable({ name, value }: Named, scope: string, of: string): ForgeVariable {
  const isSecret = value === undefined;
  return { key: name, value, kind: "variable", protected: false, masked: isSecret, scope, of };
}
