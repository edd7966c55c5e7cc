import { createHash, createHmac } from "node:crypto";
import { armoured } from "#core/age";
import type { DataFolder } from "#core/data-folder";
import { ActionNeededError } from "#core/errors";
import type { DesiredState, DesiredTwin } from "#schemas/desired-state";
import type { Diagnostic } from "#schemas/diagnostic";
import { maxSealedBytes } from "#schemas/limits";
import type { RepositoryTree } from "#schemas/repository-tree";
import { secretDiagnostic } from "#schemas/secret-diagnostic";
import type { TwinDocument } from "#schemas/twin-spec";
import type { Locate } from "#schemas/yaml-document";
import type { Forge, ForgeProject, ListedVariables } from "../forge/forge.ts";
import { resolveSecret, type SecretFile, type SecretSources, secretFile } from "./resolve-secret.ts";
import { isDue, type SealingKeys, sealTwin, withoutExpired } from "./seal-twin.ts";
import { SealedStore } from "./sealed-store.ts";

export interface TwinSecretsDeps {
  forge: Pick<Forge, "variables">;
  store: SealedStore;
  /** The runner's, `age1...`; absent: no twin can have secrets. */
  publicKey: string | undefined;
  versionKey: string;
  nowMs?: () => number;
}

/** What is needed of a repository at one commit. */
export interface SecretTree extends Pick<RepositoryTree, "entry"> {
  read(path: string, maxBytes: number): Promise<Uint8Array | undefined>;
}

interface DeclaringTwin {
  name: string;
  document?: TwinDocument;
  file: string;
  diagnostics: Diagnostic[];
  locate: Locate;
}

/** What was found when a user was looked at last. Names only. */
export interface LastLook {
  declared: { twin: string; name: string }[];
  /** By name: why it has no value, in a sentence. */
  problems: ReadonlyMap<string, string>;
  /** Names with a file in the repository. */
  files: string[];
}

/** The secrets of all twins on the controller's side: reads values, seals them for the runner, notices changes. */
export class TwinSecrets {
  readonly #deps: TwinSecretsDeps;
  /** By project: a hash of the variables it was looked at with last. */
  readonly #seen = new Map<string, string>();
  readonly #looks = new Map<string, LastLook>();

  constructor(deps: TwinSecretsDeps) {
    this.#deps = deps;
  }

  /**
   * Reads everything that the declared secrets of a user can come from; `undefined` where none is declared. Throws
   * `TryLaterError` when the host cannot say now.
   */
  async read(
    user: string,
    project: ForgeProject,
    tree: SecretTree,
    specs: readonly Pick<DesiredTwin, "spec">[],
  ): Promise<SecretSources | undefined> {
    const declared = specs.flatMap(({ spec }) => spec.secrets ?? []).map(({ name }) => name);
    if (declared.length === 0) {
      this.#seen.delete(project.path);
      return undefined;
    }
    const sealed = this.#deps.store.of(user).flatMap(({ secrets }) => secrets.map(({ name }) => name));
    const files = new Map<string, SecretFile>();
    for (const name of new Set([...declared, ...sealed])) {
      const file = await readFile(tree, secretFile(name));
      if (file) files.set(name, file);
    }
    const variables = await this.#list(project);
    this.#seen.set(project.path, fingerprint(variables));
    const { path, defaultBranch: branch = "" } = project;
    return { project: path, branch, variables, files, hasKey: this.#deps.publicKey !== undefined };
  }

  /** Adds a finding to each twin for every secret that has no value. */
  check(user: string, twins: readonly DeclaringTwin[], sources: SecretSources | undefined): void {
    const declared: LastLook["declared"] = [];
    const problems = new Map<string, string>();
    for (const { name: twin, document, file, diagnostics, locate } of sources ? twins : []) {
      for (const [index, reference] of (document?.spec.secrets ?? []).entries()) {
        const { name } = reference;
        declared.push({ twin, name });
        const resolved = sources && resolveSecret(reference, twin, sources);
        if (resolved?.kind !== "problem") continue;
        const place = { file, ...locate(`/spec/secrets/${index}`) };
        const finding = secretDiagnostic(name, resolved.problem, place);
        diagnostics.push(finding);
        problems.set(name, finding.message);
      }
    }
    this.#looks.set(user, { declared, problems, files: [...(sources?.files.keys() ?? [])] });
  }

  /** `undefined` where nothing was looked at since this process started. */
  lastLook(user: string): LastLook | undefined {
    return this.#looks.get(user);
  }

  /**
   * Puts on disk what the runner needs for these twins, and nothing else of this user. The twins with the version of
   * their secrets; one whose value is gone keeps the version it had, so that it runs on. `isNew`: something changed
   * that no version tells.
   */
  async seal(
    user: string,
    project: string,
    twins: readonly DesiredTwin[],
    sources: SecretSources | undefined,
  ): Promise<{ twins: DesiredTwin[]; isNew: boolean }> {
    const { store, publicKey, versionKey, nowMs = Date.now } = this.#deps;
    const now = nowMs();
    let isNew = false;
    const sealedTwins: DesiredTwin[] = [];
    for (const twin of twins) {
      const { secretsVersion: last, ...rest } = twin;
      const secrets = twin.spec.secrets ?? [];
      if (!sources || publicKey === undefined) {
        sealedTwins.push(secrets.length === 0 ? rest : twin);
        continue;
      }
      const keys: SealingKeys = { publicKey, versionKey };
      const before = store.get(user, twin.name);
      const wanted = { user, project, twin: twin.name, secrets };
      const { document, version = last } = await sealTwin(wanted, sources, keys, before, now);
      isNew = (await store.put(document)) || isNew;
      const has = secrets.length > 0 && version !== undefined;
      sealedTwins.push(has ? { ...rest, secretsVersion: version } : rest);
    }
    const names = new Set(twins.map(({ name }) => name));
    for (const document of store.of(user)) {
      if (!names.has(document.twin)) await store.remove(user, document.twin);
      else if (!sources) await store.put(withoutExpired(document, now));
    }
    return { twins: sealedTwins, isNew };
  }

  /** Nothing of this user runs any more. */
  async forget(user: string): Promise<void> {
    this.#looks.delete(user);
    for (const { twin } of this.#deps.store.of(user)) await this.#deps.store.remove(user, twin);
  }

  /** Whether a user has to be looked at again although nothing was pushed: a value has changed, or a sealing runs out. */
  async isBehind(project: ForgeProject, document: DesiredState | undefined): Promise<boolean> {
    if (!document || !declaresSecrets(document)) return false;
    const { store, publicKey, nowMs = Date.now } = this.#deps;
    if (publicKey === undefined) return false;
    if (store.of(document.user).some((sealed) => isDue(sealed, publicKey, nowMs()))) return true;
    return this.#seen.get(project.path) !== fingerprint(await this.#list(project));
  }

  async #list(project: ForgeProject): Promise<ListedVariables | "forbidden"> {
    try {
      return await this.#deps.forge.variables.list(project);
    } catch (error) {
      if (error instanceof ActionNeededError && error.code === "FORGE_FORBIDDEN") return "forbidden";
      throw error;
    }
  }
}

/** The secrets of the controller that has this configuration. */
export async function openTwinSecrets(
  config: { runnerKey: string | undefined; webhookSecret: string },
  data: DataFolder,
  forge: Pick<Forge, "variables">,
): Promise<TwinSecrets> {
  const store = await SealedStore.open(data);
  const versionKey = createHmac("sha256", config.webhookSecret).update("versions of secrets").digest("hex");
  return new TwinSecrets({ forge, store, publicKey: config.runnerKey, versionKey });
}

/** A twin declares secrets, or would if they had values. */
function declaresSecrets({ twins, refused }: DesiredState): boolean {
  if (twins.some(({ spec }) => (spec.secrets ?? []).length > 0)) return true;
  const broken = [...refused, ...twins.flatMap(({ brokenSince }) => brokenSince ?? [])];
  return broken.some(({ diagnostics }) => diagnostics.some(({ code }) => code.startsWith("secret")));
}

async function readFile(tree: SecretTree, path: string): Promise<SecretFile | undefined> {
  const entry = tree.entry(path);
  if (!entry) return undefined;
  if (entry.kind !== "file") return { kind: "broken", reason: "is no file" };
  if ((entry.bytes ?? 0) > maxSealedBytes) {
    return { kind: "broken", reason: `has more than ${maxSealedBytes / 1024} KiB` };
  }
  const bytes = await tree.read(path, maxSealedBytes);
  const sealedText = bytes && armoured(bytes);
  if (sealedText === undefined) return { kind: "broken", reason: "is no age file" };
  return { kind: "sealed", sealedText, contentId: entry.id };
}

/** Of the values, too: kept in memory only. */
function fingerprint(variables: ListedVariables | "forbidden"): string {
  return createHash("sha256").update(JSON.stringify(variables)).digest("hex");
}
