import { ActionNeededError, messageOf, TryLaterError } from "#core/errors";
import type { Logger } from "#core/logger";
import { redactedAnywhere, valueRedactor } from "#core/redaction";
import type { SealingKey, SecretChange, SecretView } from "#schemas/api";
import { didYouMean } from "#schemas/suggest";
import type { Forge, ForgeProject, ForgeVariable } from "../forge/forge.ts";
import { environmentOf, matchesScope } from "./resolve-secret.ts";
import type { TwinSecrets } from "./twin-secrets.ts";

/** Which secret: of a whole project, or of one twin only. */
export interface SecretName {
  user: string;
  name: string;
  twin: string | undefined;
}

/** Whoever changes a secret does it with a token of their own, so that the Git host decides, too. */
export interface SecretCaller {
  username: string;
  token: string;
  project: ForgeProject;
}

export interface SecretBook {
  list(user: string, project: ForgeProject): Promise<SecretView[]>;
  /** `mustExist`: only a value that is there is replaced; else `ActionNeededError("SECRET_NOT_FOUND")`. */
  set(which: SecretName, value: string, caller: SecretCaller, mustExist: boolean): Promise<SecretChange>;
  remove(which: SecretName, caller: SecretCaller): Promise<SecretChange>;
  sealingKey(user: string, project: ForgeProject): SealingKey;
}

export interface SecretBookDeps {
  forge: Pick<Forge, "variables">;
  secrets: Pick<TwinSecrets, "lastLook">;
  logger: Logger;
  nudgeProject(path: string): void;
  publicKey: string | undefined;
}

/** Secrets as people see and change them. Values go in and never come out. */
export function secretBook(deps: SecretBookDeps): SecretBook {
  const { forge, logger } = deps;

  const declaredBy = (user: string, name: string, scope = "*"): string[] =>
    (deps.secrets.lastLook(user)?.declared ?? [])
      .filter((each) => each.name === name && matchesScope(scope, environmentOf(each.twin)))
      .map(({ twin }) => twin);

  const changed = (
    which: SecretName,
    scope: string,
    change: SecretChange["change"],
    caller: SecretCaller,
  ): SecretChange => {
    const { user, name } = which;
    const { username: by, project } = caller;
    logger.info(
      { audit: `secret-${change}`, project: project.path, secretName: name, scope, by },
      "secret changed",
    );
    deps.nudgeProject(project.path);
    return { user, name, scope, change, declaredBy: declaredBy(user, name, scope), remark: null };
  };

  const missing = async (which: SecretName, scope: string, caller: SecretCaller) => {
    const { variables } = await forge.variables.list(caller.project);
    const known = variables.filter((each) => each.of === caller.project.path).map(({ key }) => key);
    const where = scope === "*" ? caller.project.path : `${caller.project.path} for ${scope}`;
    return new ActionNeededError("SECRET_NOT_FOUND", `there is no secret ${which.name} of ${where}`, {
      hint: didYouMean(which.name, known) ?? "list them: dtaas secret list",
    });
  };

  return {
    async list(user, project) {
      const { variables, defaultBranchIsProtected } = await forge.variables.list(project);
      const views = variables.map((variable): SecretView => {
        const { key: name, of, scope, masked } = variable;
        const declared = declaredBy(user, name, scope);
        const remark = remarkOf(variable, defaultBranchIsProtected);
        return {
          name,
          origin: "variable",
          of,
          scope,
          protected: variable.protected,
          masked,
          declaredBy: declared,
          remark,
        };
      });
      const plain = { of: null, scope: null, protected: false, masked: false };
      const look = deps.secrets.lastLook(user);
      for (const name of look?.files ?? []) {
        const isTwice = views.some((view) => view.name === name);
        const remark = isTwice ? "the file counts, not the CI/CD variable of the same name" : null;
        views.push({ name, origin: "file", ...plain, declaredBy: declaredBy(user, name), remark });
      }
      for (const [name, remark] of look?.problems ?? []) {
        const already = views.some((view) => view.name === name && view.remark !== null);
        if (!already)
          views.push({ name, origin: "none", ...plain, declaredBy: declaredBy(user, name), remark });
      }
      return views.sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
    },

    async set(which, value, caller, mustExist) {
      const { project, token } = caller;
      const scope = scopeOf(which);
      const redact = valueRedactor([value]);
      try {
        if (mustExist) {
          const { variables } = await forge.variables.list(project);
          const isThere = (each: ForgeVariable) =>
            each.of === project.path && each.key === which.name && each.scope === scope;
          if (!variables.some(isThere)) throw await missing(which, scope, caller);
        }
        const { created } = await forge.variables.set(project, { token, key: which.name, scope, value });
        const change = changed(which, scope, created ? "created" : "replaced", caller);
        return value.trim().length < redactedAnywhere ? { ...change, remark: tooShort } : change;
      } catch (error) {
        throw withoutValue(error, redact);
      }
    },

    async remove(which, caller) {
      const { project, token } = caller;
      const scope = scopeOf(which);
      if (!(await forge.variables.remove(project, { token, key: which.name, scope }))) {
        throw await missing(which, scope, caller);
      }
      return changed(which, scope, "deleted", caller);
    },

    sealingKey(user, project) {
      const { publicKey } = deps;
      if (publicKey !== undefined) return { user, project: project.path, publicKey };
      throw new ActionNeededError("SECRETS_NOT_SET_UP", "this platform has no key of a runner", {
        hint: "set DTAAS_RUNNER_KEY of the controller",
      });
    },
  };
}

const tooShort = `it has fewer than ${redactedAnywhere} characters, too few to take it out of logs everywhere`;

function scopeOf({ twin }: SecretName): string {
  return twin === undefined ? "*" : environmentOf(twin);
}

function remarkOf(variable: ForgeVariable, defaultBranchIsProtected: boolean): string | null {
  if (variable.value === undefined)
    return "hidden: the Git host tells its value to nobody but its own pipelines";
  if (variable.protected && !defaultBranchIsProtected) return "protected, and the default branch is not";
  return variable.value.trim().length < redactedAnywhere ? tooShort : null;
}

/** Whatever the host has said, it is not said on with the value in it. */
function withoutValue(error: unknown, redact: (text: string) => string): unknown {
  if (error instanceof ActionNeededError) {
    const { code, hint, where } = error;
    return new ActionNeededError(code, redact(error.message), {
      ...(hint === undefined ? {} : { hint: redact(hint) }),
      ...(where === undefined ? {} : { where }),
    });
  }
  if (error instanceof TryLaterError) {
    return new TryLaterError(redact(error.message), { retryAfterMs: error.retryAfterMs });
  }
  return new Error(redact(messageOf(error)));
}
