import { canReadCode } from "../../access/rights.ts";
import type { ForgeContext } from "../../forge-context.ts";
import { isBranchName } from "../../git/ref-name.ts";
import { isFilePath } from "../../repository/file-actions.ts";
import { treeEntries } from "../../repository/tree-entries.ts";
import type { ProjectRecord, UserRecord } from "../../store/records.ts";
import { expandText, type Variables } from "../variables/expand.ts";
import { componentOf, refsOf, versionOf } from "./component.ts";
import { IncludeRefused } from "./include-refused.ts";
import { includesFolder, stateFolder } from "./parser-folder.ts";
import { list, type Plain, record, text, texts } from "./plain.ts";
import { readCiYaml } from "./read-yaml.ts";

const maxFiles = 150; // as in GitLab
const maxFileBytes = 1024 * 1024;
const maxTotalBytes = 8 * 1024 * 1024;

export interface Gathering {
  project: ProjectRecord;
  /** Whose rights decide about other projects. */
  user: UserRecord;
  commit: string;
  /** All paths of the commit. */
  paths: readonly string[];
  variables: Variables;
}

export interface Gathered {
  files: Map<string, string>;
  remotes: Map<string, string>;
}

interface Place {
  project: ProjectRecord;
  commit: string;
  /** Where its files go: the folder of another project's ref, or nothing for the project's own. */
  below: string;
}

/**
 * The files that a root file leads to, from this forge alone: `local`, `project` as far as the user may read it, and `component`. What
 * is on other hosts is refused. Rules of includes are left to gitlab-ci-local: what they rule out is gathered all the same, where it is there.
 */
export async function gatherFiles(
  context: ForgeContext,
  gathering: Gathering,
  root: { name: string; content: string; also?: ReadonlyMap<string, string> },
): Promise<Gathered> {
  const gathered: Gathered = { files: new Map(root.also), remotes: new Map() };
  let total = 0;
  const seen = new Set<string>();

  async function add(place: Place, path: string, inputs: Plain): Promise<void> {
    const known = gathered.files.get(`${place.below}${path}`);
    const content = known ?? (await read(context, place, path));
    if (content === undefined) return; // gitlab-ci-local says so, unless a rule leaves it out
    total += content.length;
    if (total > maxTotalBytes)
      throw new IncludeRefused(`includes are larger than ${maxTotalBytes / 1024 ** 2} MiB`);
    gathered.files.set(`${place.below}${path}`, content);
    if (gathered.files.size > maxFiles) throw new IncludeRefused(`more than ${maxFiles} files are included`);
    const key = JSON.stringify([place.below, path, inputs]);
    if (seen.has(key)) return;
    seen.add(key);
    await follow(place, content, inputs);
  }

  async function follow(place: Place, content: string, inputs: Plain): Promise<void> {
    const file = readCiYaml(content);
    if (file === undefined) return;
    const expand = (value: string) =>
      expandText(interpolate(value, inputs, file.inputs), gathering.variables);
    for (const each of list(file.content["include"])) {
      const include =
        typeof each === "string" ? { [isAddress(each) ? "remote" : "local"]: each } : record(each);
      const given = record(include["inputs"]);
      const local = text(include["local"]);
      const component = text(include["component"]);
      const project = text(include["project"]);
      if (include["remote"] !== undefined)
        throw new IncludeRefused("include:remote is not fetched by the embedded forge");
      if (include["template"] !== undefined) {
        throw new IncludeRefused(
          "include:template needs GitLab's own templates, which the embedded forge does not have",
        );
      }
      if (local !== null) {
        for (const path of await localPaths(context, gathering, place, expand(local)))
          await add(place, path, given);
      } else if (component !== null) await addComponent(expand(component), given);
      else if (project !== null) {
        const ref = text(include["ref"]);
        await addOfProject(
          expand(project),
          ref === null ? null : expand(ref),
          texts(include["file"]).map(expand),
          given,
        );
      }
    }
  }

  async function addOfProject(path: string, ref: string | null, files: readonly string[], inputs: Plain) {
    const project = readable(context, gathering.user, path);
    if (ref !== null && !isBranchName(ref))
      throw new IncludeRefused(`${JSON.stringify(ref)} cannot be a ref`);
    const commit = await context.objects.resolve(
      context.repositories.path(project.id),
      ref ?? project.defaultBranch,
    );
    if (!commit)
      throw new IncludeRefused(`Project \`${path}\` reference \`${ref ?? "HEAD"}\` does not exist!`);
    const below = `${includesFolder}/${hostName(context)}/${path}/${ref ?? "HEAD"}/`;
    for (const file of files) {
      const name = file.replace(/^\/+/, "");
      if (!isFilePath(name)) throw new IncludeRefused(`${JSON.stringify(file)} is no path of a file`);
      await add({ project, commit: commit.id, below }, name, inputs);
    }
  }

  async function addComponent(address: string, inputs: Plain): Promise<void> {
    const { host, path, name, ref } = componentOf(address);
    if (host !== new URL(context.url).host) {
      throw new IncludeRefused(
        `component \`${address}\` is on another host: the embedded forge takes those of its own only`,
      );
    }
    const project = readable(context, gathering.user, path);
    const isOwn = project.id === gathering.project.id && ref === gathering.commit;
    const refs = isOwn ? [] : await refsOf(context, project);
    const chosen = isOwn ? ref : versionOf(ref, refs);
    if (chosen === undefined) throw new IncludeRefused(`component \`${address}\`: there is no such version`);
    const commit = await context.objects.resolve(context.repositories.path(project.id), chosen);
    if (!commit) throw new IncludeRefused(`component \`${address}\`: there is no such ref`);
    if (!isOwn) {
      const lines = refs.map(({ id, name: full }) => `${id}\t${full}\n`).join("");
      const { protocol, port } = new URL(context.url);
      // As gitlab-ci-local writes it; without a port in the component's address it believes in 443.
      const shown = `${hostName(context)}:${port || 443}`;
      gathered.remotes.set(`${protocol}//${shown}/${path}.git`, lines);
    }
    const below = isOwn ? "" : `${includesFolder}/${hostName(context)}/${path}/${chosen}/`;
    for (const file of [`templates/${name}.yml`, `templates/${name}/template.yml`]) {
      await add({ project, commit: commit.id, below }, file, inputs);
    }
  }

  await follow({ project: gathering.project, commit: gathering.commit, below: "" }, root.content, {});
  gathered.files.set(root.name, root.content);
  return gathered;
}

function isAddress(include: string): boolean {
  return /^https?:/.test(include);
}

function hostName(context: ForgeContext): string {
  return new URL(context.url).hostname;
}

/** `$[[ inputs.name ]]`, as far as a file's header and its includer tell. */
function interpolate(value: string, given: Plain, declared: Plain): string {
  return value.replace(/\$\[\[\s*inputs\.([\w-]+)[^\]]*\]\]/g, (whole, name: string) => {
    return text(given[name]) ?? text(record(declared[name])["default"]) ?? whole;
  });
}

function readable(context: ForgeContext, user: UserRecord, path: string): ProjectRecord {
  const project = context.store.projectsByPath.first(path.toLowerCase());
  if (!project || project.fullPath !== path || !canReadCode(context.store, user, project, context.clock())) {
    throw new IncludeRefused(`Project \`${path}\` not found or access denied!`);
  }
  return project;
}

/** `*` within a folder, `**` across folders. */
async function localPaths(
  context: ForgeContext,
  gathering: Gathering,
  place: Place,
  pattern: string,
): Promise<string[]> {
  const wanted = pattern.replace(/^\/+/, "");
  if (!wanted.includes("*")) return isFilePath(wanted) ? [wanted] : [];
  const isOwn = place.below === "";
  const paths = isOwn ? gathering.paths : await listPaths(context, place.project, place.commit);
  const parts = wanted.split(/(\*\*|\*)/).map((part) => {
    if (part === "**") return ".*";
    return part === "*" ? "[^/]*" : part.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
  });
  const expression = new RegExp(`^${parts.join("")}$`);
  return paths.filter((path) => expression.test(path));
}

/** All paths of a commit's files. Throws `IncludeRefused` for more than can be looked through. */
export async function listPaths(
  context: ForgeContext,
  project: ProjectRecord,
  commit: string,
): Promise<string[]> {
  const result = await context.git.run(
    context.repositories.path(project.id),
    ["ls-tree", "-r", "-z", "--full-tree", "--name-only", commit],
    { maxOutputBytes: maxTotalBytes, cut: true },
  );
  if (result.isCut)
    throw new IncludeRefused("the repository has too many files to look for some by a pattern");
  return result.stdout.toString("utf8").split("\0").filter(isFilePath);
}

async function read(context: ForgeContext, place: Place, path: string): Promise<string | undefined> {
  if (path === stateFolder || path.startsWith(stateFolder)) {
    throw new IncludeRefused(`a file called ${JSON.stringify(path)} cannot be included`);
  }
  const gitDir = context.repositories.path(place.project.id);
  const [entry] = await treeEntries(context.git, gitDir, place.commit, [path]);
  if (entry?.type !== "blob" || entry.mode === "120000") return undefined;
  const blob = await context.git.run(gitDir, ["cat-file", "blob", entry.id], {
    maxOutputBytes: maxFileBytes,
    cut: true,
  });
  if (blob.isCut) throw new IncludeRefused(`${path} is larger than ${maxFileBytes / 1024 ** 2} MiB`);
  return blob.code === 0 ? blob.stdout.toString("utf8") : undefined;
}
