import { stat } from "node:fs/promises";
import { join } from "node:path";
import { readJson } from "#core/atomic-file";
import { type DataFolder, sealedPath } from "#core/data-folder";
import { ActionNeededError, messageOf } from "#core/errors";
import { isUnreadable } from "#core/read-or-set-aside";
import { redactSecrets, valueRedactor } from "#core/redaction";
import type { DesiredTwin } from "#schemas/desired-state";
import { checkRunManifest, checkSealedSecrets } from "#schemas/documents/check-documents";
import type { SealedSecrets } from "#schemas/sealed-secrets";
import type { SecretReference } from "#schemas/twin-spec";
import type { ContainerSpec } from "../engine/engine.ts";
import { openSecret } from "./open-secret.ts";
import type { GivenSecret, SecretFolders } from "./secret-folders.ts";

/** Where a run finds its secrets, one file each. */
export const secretsPlace = "/run/secrets";

export interface WantedSecrets {
  user: string;
  twin: string;
  runId: string;
  /** Full path of the user's project. */
  project: string;
  secrets: readonly SecretReference[];
  /** The execution that this run ends: it is given the same values, whatever has become of them since. */
  joins?: string | undefined;
}

/** What a container needs for its secrets. */
export type GivenParts = Required<Pick<ContainerSpec, "mounts" | "environment" | "environmentFiles">>;

/** The secrets of runs on the runner's side: opened when a run starts, gone when it has ended. */
export class RunSecrets {
  readonly #data: DataFolder;
  readonly #folders: SecretFolders;
  readonly #privateKeys: readonly string[];
  /** By twin: what opening its sealed document came to, for the document as it was then. No values. */
  readonly #verdicts = new Map<string, { stamp: string; problem?: string; untilMs: number }>();

  constructor(data: DataFolder, folders: SecretFolders, privateKeys: readonly string[]) {
    this.#data = data;
    this.#folders = folders;
    this.#privateKeys = privateKeys;
  }

  /** Why a source cannot be started for want of a secret, in a sentence; asked before anything is stopped for it. */
  async problem(user: string, source: DesiredTwin): Promise<string | undefined> {
    const secrets = source.spec.secrets ?? [];
    if (secrets.length === 0) return undefined;
    const key = `${user}/${source.name} ${secrets.map(({ name }) => name).join(" ")}`;
    const stamp = await this.#stamp(user, source.name);
    const known = this.#verdicts.get(key);
    if (known?.stamp === stamp && Date.now() < known.untilMs) return known.problem;
    const wanted = { user, twin: source.name, runId: "", project: source.own.project, secrets };
    const verdict = await this.#open(wanted).then(
      (opened) => ({ stamp, untilMs: Math.min(...opened.map(({ expiresAtMs }) => expiresAtMs)) }),
      (error: unknown) => {
        if (!(error instanceof ActionNeededError)) throw error;
        return { stamp, problem: sentence(error), untilMs: Number.POSITIVE_INFINITY };
      },
    );
    this.#verdicts.set(key, verdict);
    return "problem" in verdict ? verdict.problem : undefined;
  }

  /** Opens the secrets of a run and puts them in memory for it. Errors: those of `openSecret`, `SECRET_NOT_THERE`. */
  async give(wanted: WantedSecrets): Promise<GivenParts> {
    if (wanted.secrets.length === 0) return { mounts: [], environment: {}, environmentFiles: [] };
    const former = wanted.joins === undefined ? undefined : await this.#folders.read(wanted.joins);
    const given: GivenSecret[] = former ?? (await this.#open(wanted));
    const source = await this.#folders.write(wanted.runId, given);
    const asked = given.filter(({ name }) =>
      wanted.secrets.some((secret) => secret.name === name && secret.env),
    );
    const paths = asked.filter(({ kind }) => kind === "file");
    return {
      mounts: [{ source, target: secretsPlace }],
      environment: {
        DT_SECRETS: secretsPlace,
        ...Object.fromEntries(paths.map(({ name }) => [name, `${secretsPlace}/${name}`])),
      },
      environmentFiles: asked.filter(({ kind }) => kind === "variable").map(({ name }) => name),
    };
  }

  /** Takes the secrets of a run, and whatever looks like a credential, out of a text. `folder`: of the run. */
  async redactorOf(runId: string, folder: string): Promise<(text: string) => string> {
    const given = (await this.#folders.read(runId)) ?? (await this.#today(folder));
    const redact = valueRedactor(given.map(({ value }) => value.toString("utf8")));
    return (text) => redactSecrets(redact(text));
  }

  async takeBack(runId: string): Promise<void> {
    await this.#folders.remove(runId);
  }

  async sweep(keep: ReadonlySet<string>): Promise<void> {
    await this.#folders.sweep(keep, Date.now());
  }

  async clear(): Promise<void> {
    await this.#folders.clear();
  }

  /** The machine was started anew since, and nothing is in memory any more: today's values are the best guess. */
  async #today(folder: string): Promise<GivenSecret[]> {
    const found = await readJson(join(folder, "manifest.json")).catch(() => undefined);
    if (found === undefined) return [];
    const { user, twin, id, own, secrets = [] } = checkRunManifest(found);
    const all = secrets.map((secret) =>
      this.#open({ user, twin, runId: id, project: own.project, secrets: [secret] }).catch(() => []),
    );
    return (await Promise.all(all)).flat();
  }

  async #open(wanted: WantedSecrets): Promise<(GivenSecret & { expiresAtMs: number })[]> {
    const { user, twin, project, secrets } = wanted;
    const document = await this.#document(user, twin);
    const opened: (GivenSecret & { expiresAtMs: number })[] = [];
    for (const { name, env } of secrets) {
      const sealed = document?.secrets.find((candidate) => candidate.name === name);
      if (!sealed) {
        throw new ActionNeededError("SECRET_NOT_THERE", `the secret ${name} has been deleted`, {
          hint: `set it again: dtaas secret set ${name}`,
        });
      }
      const secret = await openSecret(sealed, { project, twin }, this.#privateKeys, Date.now());
      if (env && secret.kind === "variable" && secret.value.includes(0)) {
        throw new ActionNeededError(
          "SECRET_NOT_ENVIRONMENT",
          `the secret ${name} holds a NUL and cannot be a variable`,
          {
            hint: "leave `env` out, and read the file",
          },
        );
      }
      opened.push(secret);
    }
    return opened;
  }

  async #document(user: string, twin: string): Promise<SealedSecrets | undefined> {
    const path = sealedPath(this.#data, user, twin);
    try {
      const found = await readJson(path);
      return found === undefined ? undefined : checkSealedSecrets(found, path);
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      throw new ActionNeededError("SECRETS_UNREADABLE", `the sealed secrets of ${user}/${twin} are damaged`, {
        where: { file: path },
        hint: "start the controller again: it seals them anew",
      });
    }
  }

  async #stamp(user: string, twin: string): Promise<string> {
    const path = sealedPath(this.#data, user, twin);
    const found = await stat(path, { bigint: true }).catch(() => undefined);
    return found ? `${found.ino}:${found.mtimeNs}:${found.size}` : "none";
  }
}

function sentence(error: ActionNeededError): string {
  return `${messageOf(error)}${error.hint === undefined ? "" : ` (${error.hint})`}`;
}
