import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { evaluateCondition } from "./evaluate-condition.ts";

/** Everything that gitlab-ci-local gets to see of a project. Paths of files are checked by whoever made them. */
export interface ParserInput {
  /** Beside each other as in the repository; includes of other projects below `includesFolder`. */
  files: ReadonlyMap<string, string>;
  /** Further files of the commit, for `rules:exists`: their names only. */
  names: readonly string[];
  /** For `rules:changes`. */
  changed: readonly string[];
  variables: Readonly<Record<string, string>>;
  branch: string;
  defaultBranch: string;
  commit: string;
  /** Where it believes it was cloned from. */
  origin: string;
  /** Refs of the projects whose components are included, by their address: what `git ls-remote` prints. */
  remotes: ReadonlyMap<string, string>;
}

export const stateFolder = ".gitlab-ci-local";
export const includesFolder = `${stateFolder}/includes`;
export const expandedFile = `${stateFolder}/expanded-gitlab-ci.yml`;

/**
 * The only program it finds. It answers what gitlab-ci-local asks of a repository, from files beside it; a clone or anything else
 * fails. Nothing of what it is asked is used as a path or run.
 */
const gitProgram = `#!/bin/sh
here=\${0%/*}/../answers
case "$*" in
  "rev-parse --abbrev-ref HEAD") exec /bin/cat "$here/branch" ;;
  "rev-parse HEAD") exec /bin/cat "$here/commit" ;;
  "symbolic-ref --short refs/remotes/origin/HEAD") exec /bin/cat "$here/default-branch" ;;
  "config user.name" | "config user.email") echo unknown ;;
  "remote get-url gcl-origin" | "remote get-url origin") exec /bin/cat "$here/origin" ;;
  "diff --name-only origin/"*) exec /bin/cat "$here/changed" ;;
  "ls-remote "*)
    for address do :; done
    while read -r file known; do
      [ "$known" = "$address" ] && exec /bin/cat "$here/$file"
    done < "$here/remotes"
    exit 1 ;;
  *) exit 1 ;;
esac
`;

/** It lists files by a shell, and would clone by one. This one knows the list and nothing else. */
const bashProgram = `#!/bin/sh
[ "$*" = "-c git ls-files --deduplicate" ] && exec /bin/cat "\${0%/*}/../answers/files"
exit 1
`;

/**
 * Loaded into its process before itself. Conditions come to their value by a small grammar rather than by `eval`, code made of texts is
 * for its own schema validator alone, and no connection leaves the process.
 */
export const parserPreload = `
import net from "node:net";
import dgram from "node:dgram";
globalThis.eval = ${evaluateCondition.toString()};
const refuse = () => { throw new Error("includes from other hosts are not fetched here"); };
net.Socket.prototype.connect = refuse;
dgram.createSocket = refuse;
`;

/** Writes `work/` (where it runs), `bin/` and `answers/`. */
export async function writeParserFolder(folder: string, input: ParserInput): Promise<void> {
  const work = join(folder, "work");
  const answers = join(folder, "answers");
  await mkdir(join(folder, "bin"), { recursive: true, mode: 0o700 });
  await mkdir(answers, { mode: 0o700 });
  await mkdir(join(folder, "home"), { mode: 0o700 });
  await mkdir(work, { mode: 0o700 });
  await writeFile(join(folder, "bin", "git"), gitProgram, { mode: 0o700 });
  await writeFile(join(folder, "bin", "id"), "#!/bin/sh\necho 1000\n", { mode: 0o700 });
  await writeFile(join(folder, "bin", "bash"), bashProgram, { mode: 0o700 });
  const remotes = [...input.remotes];
  const told: Record<string, string> = {
    branch: input.branch,
    commit: input.commit,
    "default-branch": `origin/${input.defaultBranch}`,
    origin: input.origin,
    files: [...input.files.keys()].join("\n"),
    changed: input.changed.join("\n"),
    remotes: remotes.map(([address], at) => `refs-${at} ${address}\n`).join(""),
    ...Object.fromEntries(remotes.map(([, refs], at) => [`refs-${at}`, refs])),
  };
  for (const [name, content] of Object.entries(told)) {
    await writeFile(join(answers, name), content.endsWith("\n") ? content : `${content}\n`);
  }
  const variables = Object.entries(input.variables).map(([key, value]) => [
    key,
    { type: "variable", values: { "*": value } },
  ]);
  // YAML takes JSON for what it is.
  await writeFile(
    join(work, ".gitlab-ci-local-variables.yml"),
    JSON.stringify(Object.fromEntries(variables)),
  );
  const folders = new Set<string>();
  const write = async (path: string, content: string) => {
    const parent = dirname(join(work, path));
    if (!folders.has(parent)) await mkdir(parent, { recursive: true });
    folders.add(parent);
    await writeFile(join(work, path), content);
  };
  for (const [path, content] of input.files) await write(path, content);
  for (const path of input.names) if (!input.files.has(path)) await write(path, "");
}
