import { readFile } from "node:fs/promises";
import { join } from "node:path";
import type { DataFolder } from "#core/data-folder";
import { ActionNeededError } from "#core/errors";
import { digest } from "#planning/keys";
import type { TwinDefaults } from "#schemas/defaults";
import type { DesiredState, DesiredTwin, RunRequest } from "#schemas/desired-state";
import type { Diagnostic } from "#schemas/diagnostic";
import { checkGivenParameters } from "#schemas/parameters";
import { type RepositoryTree, repositoryTree } from "#schemas/repository-tree";
import { followLinks } from "#schemas/tree/follow-links";
import type { TwinDocument } from "#schemas/twin-spec";
import { addUse, excess, noUse, useOf } from "#schemas/use";
import { validateRepository } from "#schemas/validate-repository";
import { sharedTree } from "./shared-tree.ts";
import type { CopiedEntry, UnpackedCopy } from "./unpack-copy.ts";

export interface CopyToJudge {
  data: DataFolder;
  request: RunRequest;
  /** Where it lies, links included. */
  folder: string;
  copy: UnpackedCopy;
  /** Of its user, as Git has it. */
  desired: DesiredState | undefined;
  defaults: TwinDefaults | undefined;
  templates: readonly string[];
  /** Other copies of this user whose runs have not ended. */
  others: readonly DesiredTwin[];
}

/**
 * The source that a copy's dt.yaml describes, validated as that of a commit is. What is wrong is
 * `ActionNeededError("COPY_SPEC_BROKEN")` with file, line and column, or the refusal of what it asks for beyond what its
 * user has: limits, secrets, parameters.
 */
export async function copySource(given: CopyToJudge): Promise<DesiredTwin> {
  const { request, copy, desired } = given;
  const { twin: name, user } = request;
  const document = await documentOf(given);
  const { metadata, derived, spec } = document;
  const { base, digest: content } = copy.about;
  const known = desired?.twins.find((twin) => twin.name === name);
  checkSecrets(request, document, known);
  const shared = (desired?.view?.sources ?? []).flatMap(({ project, commit, folder }) =>
    folder === undefined ? [{ project, commit }] : [],
  );
  const source: DesiredTwin = {
    ...{ name, metadata, derived, state: "stopped", suspend: false, spec, shared, revision: base },
    ...(known?.secretsVersion === undefined ? {} : { secretsVersion: known.secretsVersion }),
    // Of this run alone, so that equal files of two runs have a layer each.
    sourceKey: digest("copy", request.runId, content),
    own: { project: desired?.project.path ?? "", commit: base },
  };
  if (request.parameters) checkGivenParameters(request.parameters, spec.parameters);
  const kept = (desired?.twins ?? []).filter(({ admittedAt }) => admittedAt !== undefined).map(useOf);
  const copies = [...given.others, source].map((one) => ({ ...useOf(one), twins: 0 }));
  const use = [...kept, ...copies].reduce((sum, one) => addUse(sum, one), noUse);
  const problem = excess(use, desired?.limits, user);
  if (problem !== undefined) throw new ActionNeededError("LIMIT_REACHED", problem);
  return source;
}

async function documentOf(given: CopyToJudge): Promise<TwinDocument> {
  const { data, request, folder, copy, desired, defaults, templates } = given;
  const { twin: name, user } = request;
  const tree = treeOf(copy.entries);
  const validated = await validateRepository({
    user,
    tree: onlyTwin(tree, name),
    read: (path) => readFile(join(folder, path)),
    common: desired?.view ? sharedTree(data, desired.view) : "unknown",
    ...(defaults ? { platform: { defaults } } : {}),
    templates,
  });
  const twin = validated.twins.find((one) => one.name === name);
  const found = twin?.diagnostics.find(({ severity }) => severity === "error");
  if (found) throw broken(found);
  if (twin?.document) return twin.document;
  const [first] = validated.general.filter(({ severity }) => severity === "error");
  if (first) throw broken(first);
  throw new ActionNeededError("COPY_WITHOUT_TWIN", `the workspace has no twin in digital_twins/${name}`);
}

/** The twin's own folder and everything beside digital_twins/: what is wrong with other twins is none of this run's business. */
function onlyTwin(tree: RepositoryTree, name: string): RepositoryTree {
  return {
    entry: (path) => tree.entry(path),
    list: (folder) =>
      folder === "digital_twins" ? tree.list(folder).filter((one) => one === name) : tree.list(folder),
  };
}

/** Links stand for what they lead to, as they do for whoever reads the files. */
function treeOf(entries: readonly CopiedEntry[]): RepositoryTree {
  const byPath = new Map(entries.map((entry) => [entry.path, entry]));
  const listing = {
    kind: (path: string) => byPath.get(path)?.kind,
    target: (path: string) => byPath.get(path)?.target,
  };
  return repositoryTree(
    entries.flatMap((entry) => {
      const end = entry.kind === "link" ? byPath.get(followLinks(entry.path, listing).path ?? "") : entry;
      if (!end || end.kind === "link" || end.kind === "submodule") return [];
      const { kind, executable, id, bytes } = end;
      return [{ path: entry.path, kind, executable, id, bytes }];
    }),
  );
}

/** Code that nobody has pushed gets secrets only from who could push it, and only those that Git's dt.yaml names. */
function checkSecrets(request: RunRequest, { spec }: TwinDocument, known: DesiredTwin | undefined): void {
  const wanted = (spec.secrets ?? []).map(({ name }) => name);
  if (wanted.length === 0) return;
  if (request.mayUseSecrets !== true) {
    throw new ActionNeededError(
      "SECRETS_NOT_FOR_COPIES",
      "it names secrets, and files that were not pushed get them only from a maintainer of the project",
      { hint: "push it, or leave `secrets` out" },
    );
  }
  const declared = new Set((known?.spec.secrets ?? []).map(({ name }) => name));
  const missing = wanted.find((name) => !declared.has(name));
  if (missing === undefined) return;
  throw new ActionNeededError(
    "SECRET_NOT_THERE",
    `the secret ${missing} is not among those that its dt.yaml in Git names`,
    { hint: "push the list of secrets first" },
  );
}

function broken({ file, line, column, message, hint }: Diagnostic): ActionNeededError {
  return new ActionNeededError("COPY_SPEC_BROKEN", `${file}:${line}:${column}: ${message}`, {
    where: { file, line, column },
    ...(hint === undefined ? {} : { hint }),
  });
}
