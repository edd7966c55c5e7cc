import { setImmediate } from "node:timers/promises";
import { checkDependencies, type DependencyNode } from "./check-dependencies.ts";
import { type CommonTree, checkTree, chmodHint } from "./check-tree.ts";
import { tooLarge } from "./decode-text.ts";
import { type TwinDefaults, twinDefaults } from "./defaults.ts";
import { deriveTwin, twinFolder } from "./derive-twin.ts";
import type { Diagnostic } from "./diagnostic.ts";
import { maxDocumentBytes, maxTwinsPerRepository } from "./limits.ts";
import { isOperationName } from "./operation-name.ts";
import { parseDigitalTwin } from "./parse-digital-twin.ts";
import { hasErrors } from "./parse-document.ts";
import { parsePlatform } from "./parse-platform.ts";
import { parseWorkspace } from "./parse-workspace.ts";
import { quote } from "./quote.ts";
import type { RepositoryTree } from "./repository-tree.ts";
import { isTwinName } from "./twin-name.ts";
import type { PlatformDocument, TwinDocument, WorkspaceDocument } from "./twin-spec.ts";
import type { Locate } from "./yaml-document.ts";

export interface RepositoryToValidate {
  /** Whose repository it is. */
  user: string;
  tree: RepositoryTree;
  /** Content of a file of the tree. What it throws is thrown on. */
  read(path: string): Promise<Uint8Array | string | undefined>;
  common: CommonTree;
  /** The installation's defaults. */
  platform?: Pick<PlatformDocument, "defaults"> | undefined;
  /** Workspace templates of this installation, where they are known. */
  templates?: readonly string[] | undefined;
  /** All twins of all other users, for `dependsOn`. Not given: targets of other users are not checked. */
  otherTwins?: readonly DependencyNode[] | undefined;
}

export interface ValidatedTwin {
  /** The name of its folder. */
  name: string;
  /** Path of its folder, such as `digital_twins/incubator`. */
  folder: string;
  /** Path of its dt.yaml; of its folder when it has none. */
  file: string;
  /** Only without errors: what is here may run. */
  document?: TwinDocument;
  diagnostics: Diagnostic[];
  /** Where a value of its dt.yaml stands. */
  locate: Locate;
}

export interface ValidatedRepository {
  twins: ValidatedTwin[];
  /** When the repository has one without errors. */
  workspace?: WorkspaceDocument;
  platform?: PlatformDocument;
  /** What belongs to no twin. */
  general: Diagnostic[];
  /** Everything found, that of the twins included, by file and line; nothing twice. */
  diagnostics: Diagnostic[];
}

const folderOfTwins = "digital_twins";

/**
 * Validates a whole repository: workspace.yaml and platform.yaml at its root and every twin below `digital_twins/`.
 * What is wrong with one twin never hides another; nothing in the repository makes it throw.
 */
export async function validateRepository(repository: RepositoryToValidate): Promise<ValidatedRepository> {
  const { templates } = repository;
  const general: Diagnostic[] = [];
  const known = templates === undefined ? {} : { templates };

  const platformFile = await readDocument(repository, "platform.yaml", general);
  const ownPlatform =
    platformFile === undefined ? undefined : parsePlatform(platformFile, { file: "platform.yaml", ...known });
  general.push(...(ownPlatform?.diagnostics ?? []));

  const wider = twinDefaults({ platform: repository.platform });
  const before = general.length;
  const workspaceFile = await readDocument(repository, "workspace.yaml", general);
  const workspace =
    workspaceFile === undefined
      ? undefined
      : parseWorkspace(workspaceFile, { file: "workspace.yaml", defaults: wider, ...known });
  general.push(...(workspace?.diagnostics ?? []));
  const workspaceProblem = general.slice(before).find(({ severity }) => severity === "error");

  const defaults = twinDefaults({ platform: repository.platform, workspace: workspace?.document });
  const twins: ValidatedTwin[] = [];
  for (const name of twinNames(repository.tree, general)) {
    await setImmediate(); // a thousand hostile documents must not keep others from being served
    twins.push(await validateTwin(name, { repository, defaults, workspaceProblem }));
  }
  addDependencyFindings(twins, repository);
  for (const twin of twins) if (hasErrors(twin.diagnostics)) delete twin.document;

  const ofTwins = twins.flatMap((twin) => twin.diagnostics).filter(({ code }) => code !== "workspace-broken");
  const diagnostics = [...general, ...ofTwins];
  diagnostics.sort((a, b) =>
    a.file < b.file ? -1 : a.file > b.file ? 1 : a.line - b.line || a.column - b.column,
  );
  return {
    twins,
    ...(workspace?.document === undefined ? {} : { workspace: workspace.document }),
    ...(ownPlatform?.document === undefined ? {} : { platform: ownPlatform.document }),
    general,
    diagnostics,
  };
}

/** Names of the folders that hold twins; what cannot be a twin is reported or, when it does not look like one, left. */
function twinNames(tree: RepositoryTree, diagnostics: Diagnostic[]): string[] {
  const candidates = tree
    .list(folderOfTwins)
    .filter((name) => looksLikeTwin(tree, `${folderOfTwins}/${name}`));
  const names = candidates.filter((name) => {
    if (isTwinName(name)) return true;
    const message = `the folder ${quote(name)} cannot be a twin: its name must begin with a letter and hold only letters, digits, \`-\` and \`_\`, at most 39 of them`;
    diagnostics.push(fileError("invalid-twin-name", twinFolder(name), message, "rename the folder"));
    return false;
  });
  if (names.length > maxTwinsPerRepository) {
    const message = `there are ${names.length} twins; only the first ${maxTwinsPerRepository} are read`;
    diagnostics.push(fileError("too-many-twins", folderOfTwins, message, "move some to another repository"));
  }
  return names.slice(0, maxTwinsPerRepository);
}

function looksLikeTwin(tree: RepositoryTree, folder: string): boolean {
  const isFolder = tree.entry(`${folder}/lifecycle`)?.kind === "folder";
  return isFolder || ["dt.yaml", "dt.yml"].some((file) => tree.entry(`${folder}/${file}`) !== undefined);
}

interface TwinContext {
  repository: RepositoryToValidate;
  defaults: TwinDefaults;
  workspaceProblem: Diagnostic | undefined;
}

async function validateTwin(name: string, context: TwinContext): Promise<ValidatedTwin> {
  const { repository, defaults, workspaceProblem } = context;
  const { tree, user, common, templates } = repository;
  const folder = twinFolder(name);
  const file = `${folder}/dt.yaml`;
  const { scripts, findings: scriptFindings } = lifecycleScripts(tree, folder);
  const diagnostics: Diagnostic[] = [];
  const content = await readDocument(repository, file, diagnostics);
  if (content === undefined) {
    const locate: Locate = () => ({ line: 1, column: 1 });
    if (hasErrors(diagnostics)) return { name, folder, file, diagnostics, locate };
    diagnostics.push(...scriptFindings);
    if (workspaceProblem !== undefined) diagnostics.push(brokenDefaults(workspaceProblem));
    if (scripts.length === 0) {
      const message = "the twin has no operations: nothing can be run";
      const hint = "add executable scripts to its `lifecycle/` folder";
      diagnostics.push({ ...fileError("no-operations", folder, message, hint), severity: "warning" });
    }
    return { name, folder, file: folder, document: deriveTwin(name, scripts, defaults), diagnostics, locate };
  }
  const parsed = parseDigitalTwin(content, {
    file,
    folder: name,
    user,
    defaults,
    scripts,
    ...(templates === undefined ? {} : { templates }),
  });
  const { document, locate, inherits } = parsed;
  diagnostics.push(...parsed.diagnostics);
  if (inherits.lifecycle) diagnostics.push(...scriptFindings);
  if (document === undefined) return { name, folder, file, diagnostics, locate };
  if (inherits.workspace && workspaceProblem !== undefined)
    diagnostics.push(brokenDefaults(workspaceProblem));
  diagnostics.push(...checkTree(document, { file, folder, tree, common, locate }));
  return { name, folder, file, document, diagnostics, locate };
}

/** Files of `lifecycle/` that can be operations; those that are not executable are reported. */
function lifecycleScripts(
  tree: RepositoryTree,
  folder: string,
): { scripts: string[]; findings: Diagnostic[] } {
  const scripts: string[] = [];
  const findings: Diagnostic[] = [];
  for (const name of tree.list(`${folder}/lifecycle`).filter(isOperationName)) {
    const path = `${folder}/lifecycle/${name}`;
    const entry = tree.entry(path);
    if (entry?.kind !== "file") continue;
    if (entry.executable) {
      scripts.push(name);
      continue;
    }
    const message = `${quote(`lifecycle/${name}`)} is not executable, and so no operation`;
    findings.push({
      ...fileError("script-not-executable", path, message, chmodHint(path)),
      severity: "warning",
    });
  }
  return { scripts, findings };
}

/** Content of a document; `undefined` when it is not there or, then reported, cannot be read. */
async function readDocument(
  repository: RepositoryToValidate,
  file: string,
  diagnostics: Diagnostic[],
): Promise<Uint8Array | string | undefined> {
  const { tree } = repository;
  const entry = tree.entry(file);
  if (entry === undefined) {
    const other = file.replace(/\.yaml$/, ".yml");
    if (tree.entry(other) === undefined) return undefined;
    const message = `${quote(other)} is not read: the file must be called ${quote(file)}`;
    diagnostics.push(fileError("wrong-file-name", other, message, "rename it"));
    return undefined;
  }
  if (entry.kind !== "file") {
    diagnostics.push(fileError("not-a-file", file, `${quote(file)} must be a file`, "rename the folder"));
    return undefined;
  }
  if (entry.bytes !== undefined && entry.bytes > maxDocumentBytes) {
    const { code, message, hint } = tooLarge(entry.bytes);
    diagnostics.push(fileError(code, file, message, hint));
    return undefined;
  }
  const content = await repository.read(file);
  if (content === undefined) diagnostics.push(fileError("unreadable", file, `${quote(file)} cannot be read`));
  return content;
}

/** A twin must not run with other defaults than its user meant. */
function brokenDefaults(problem: Diagnostic): Diagnostic {
  const message = `workspace.yaml, which this twin inherits from, has an error: ${problem.message}`;
  return { ...problem, code: "workspace-broken", message };
}

function addDependencyFindings(twins: readonly ValidatedTwin[], repository: RepositoryToValidate): void {
  const { user, otherTwins } = repository;
  const own = twins.map(
    ({ name, document, file, locate }): DependencyNode => ({
      user,
      twin: name,
      dependsOn: document?.spec.dependsOn ?? [],
      file,
      locate,
    }),
  );
  const others = (otherTwins ?? []).filter((other) => other.user !== user);
  const sees = (other: string) => other === user || otherTwins !== undefined;
  const found = checkDependencies([...own, ...others], sees);
  for (const twin of twins) twin.diagnostics.push(...(found.get(`${user}/${twin.name}`) ?? []));
}

function fileError(code: string, file: string, message: string, hint?: string): Diagnostic {
  return {
    code,
    severity: "error",
    file,
    line: 1,
    column: 1,
    message,
    ...(hint === undefined ? {} : { hint }),
  };
}
