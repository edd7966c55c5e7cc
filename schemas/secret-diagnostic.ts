import type { Diagnostic } from "./diagnostic.ts";
import { quote } from "./quote.ts";
import { didYouMean } from "./suggest.ts";

/** Why a declared secret cannot be given. */
export type SecretProblem =
  | { kind: "missing"; known: readonly string[]; unreadable: readonly string[] }
  | { kind: "elsewhere"; scopes: readonly string[]; environment: string }
  | { kind: "protected"; branch: string }
  | { kind: "hidden" }
  | { kind: "unreadable"; project: string }
  | { kind: "file-broken"; file: string; reason: string }
  | { kind: "too-large"; bytes: number; limit: number }
  | { kind: "not-environment" }
  | { kind: "no-key" };

/** The finding at the line that declares the secret. Says names, never values. */
export function secretDiagnostic(
  name: string,
  problem: SecretProblem,
  place: { file: string; line: number; column: number },
): Diagnostic {
  const { hint, ...words } = wordsOf(quote(name), name, problem);
  return { ...words, severity: "error", ...place, ...(hint === undefined ? {} : { hint }) };
}

interface Words {
  code: string;
  message: string;
  hint?: string | undefined;
}

function wordsOf(secret: string, name: string, problem: SecretProblem): Words {
  switch (problem.kind) {
    case "missing": {
      const groups = problem.unreadable.map((group) => quote(group)).join(", ");
      const near = didYouMean(name, problem.known);
      const unseen =
        groups === ""
          ? ""
          : `; variables of ${groups} cannot be read: the platform's account has to be an owner there`;
      return {
        code: "secret-missing",
        message: `the secret ${secret} has no value: the project has no such CI/CD variable and no file \`secrets/${name}.age\``,
        hint: near ?? `set it: dtaas secret set ${name}${unseen}`,
      };
    }
    case "elsewhere":
      return {
        code: "secret-elsewhere",
        message: `the secret ${secret} has values, but none for the environment \`${problem.environment}\``,
        hint: `its scopes are ${problem.scopes.map((scope) => quote(scope)).join(", ")}; use \`*\`, \`dtaas/*\` or \`${problem.environment}\``,
      };
    case "protected":
      return {
        code: "secret-protected",
        message: `the secret ${secret} is a protected variable, and the branch \`${problem.branch}\` is not protected`,
        hint: "protect the default branch, or make the variable an unprotected one",
      };
    case "hidden":
      return {
        code: "secret-hidden",
        message: `the secret ${secret} is a hidden variable, whose value the Git host tells to nobody but its own pipelines`,
        hint: `delete it there, then: dtaas secret set ${name}`,
      };
    case "unreadable":
      return {
        code: "secret-unreadable",
        message: `the secret ${secret} cannot be read: the platform's account may not see the CI/CD variables of ${quote(problem.project)}`,
        hint: "give the platform's account the Maintainer role on the project",
      };
    case "file-broken":
      return {
        code: "secret-file-broken",
        message: `the secret ${secret} cannot be used: ${quote(problem.file)} ${problem.reason}`,
        hint: `seal it again: dtaas secret seal ${name} > ${problem.file}`,
      };
    case "too-large":
      return {
        code: "secret-too-large",
        message: `the secret ${secret} has ${problem.bytes} bytes; ${problem.limit} are allowed`,
        hint: "seal the data with a key of your own, and make the key the secret",
      };
    case "not-environment":
      return {
        code: "secret-not-environment",
        message: `the secret ${secret} holds a NUL and cannot be an environment variable`,
        hint: "leave `env` out, and read the file",
      };
    case "no-key":
      return {
        code: "secrets-not-set-up",
        message: `the secret ${secret} cannot be given: this platform has no key of a runner`,
        hint: "set DTAAS_RUNNER_KEY of the controller to what `node dist/runner/main.js --public-key` prints",
      };
  }
}
