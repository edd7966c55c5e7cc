import type { Forge, ForgeProject } from "../forge/forge.ts";

/** The value of a CI/CD variable of a project; `undefined` where there is none. */
export type ReadCredential = (project: ForgeProject, name: string) => Promise<string | undefined>;

/**
 * Reads from the Git host, each time anew. Only variables of the project itself count: one of a group around it is not the
 * user's to send elsewhere. It must be for every environment, and a protected one needs a protected default branch.
 */
export function credentialReader(forge: Pick<Forge, "variables">): ReadCredential {
  return async (project, name) => {
    const { variables, defaultBranchIsProtected } = await forge.variables.list(project);
    const found = variables.find(
      (variable) =>
        variable.key === name &&
        variable.of === project.path &&
        variable.kind === "variable" &&
        variable.scope === "*" &&
        (defaultBranchIsProtected || !variable.protected),
    );
    return found?.value;
  };
}
