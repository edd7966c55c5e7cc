import { readdirSync, readFileSync, statSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { expect, test } from "vitest";
import { packageRoot } from "#core/package-root";
import { parsePlatform } from "#schemas/parse-platform";
import { type RepositoryTree, repositoryTree } from "#schemas/repository-tree";
import { type ValidatedRepository, validateRepository } from "#schemas/validate-repository";

const examples = join(packageRoot, "examples");
const users = ["user1", "user2"];
const shared = ["common", "turbine-assets", "rotor-tests"];
const templates = ["base", "python"];

function filesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes("__pycache__"))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)));
}

function treeOf(repository: string): RepositoryTree {
  const folder = join(examples, repository);
  return repositoryTree(
    filesOf(folder).map((path) => {
      const { mode, size } = statSync(join(folder, path));
      return { path, kind: "file" as const, executable: (mode & 0o100) !== 0, id: path, bytes: size };
    }),
  );
}

function validate(repository: string): Promise<ValidatedRepository> {
  const file = "platform.yaml";
  const platform = parsePlatform(readFileSync(join(examples, "platform", file)), { file }).document;
  return validateRepository({
    user: repository,
    tree: treeOf(repository),
    read: (path) => readFile(join(examples, repository, path)),
    common: treeOf("common"),
    platform,
    templates,
    otherTwins: [],
  });
}

test.each(["platform", ...shared, ...users])(
  "the example repository %s has nothing to complain about",
  async (name) => {
    expect((await validate(name)).diagnostics).toEqual([]);
  },
);

test("the examples show each state and level, a derived twin, and a chain of dependencies", async () => {
  const found = (await Promise.all(users.map(validate))).flatMap(({ twins }) => twins);
  const summary = found.map(({ name, document }) => [
    name,
    document?.derived === true ? "derived" : document?.spec.integrationLevel,
    document?.state,
    document?.spec.dependsOn.join(" ") ?? "",
  ]);
  expect(summary).toEqual([
    ["hello-world", "derived", "stopped", ""],
    ["incubator", "twin", "running", ""],
    ["mass-spring-damper", "model", "running", ""],
    ["tank-1", "model", "running", ""],
    ["tank-2", "model", "running", "user2/tank-1"],
    ["tank-3", "model", "running", "user2/tank-2"],
    ["three-tank", "shadow", "running", "user2/tank-1 user2/tank-2 user2/tank-3"],
    ["water-tank", "model", "stopped", ""],
  ]);
});

test("the platform's defaults reach a twin without dt.yaml", async () => {
  const hello = (await validate("user1")).twins.find(({ name }) => name === "hello-world")?.document;
  expect(hello?.spec.workspace).toEqual({ template: "python", packages: { apt: [], pip: [] } });
  expect(hello?.spec.resources).toEqual({ cpus: 1, memoryBytes: 256 * 1024 * 1024, pids: 128 });
  expect(Object.keys(hello?.spec.lifecycle ?? {}).sort()).toEqual([
    "clean",
    "create",
    "execute",
    "terminate",
  ]);
});

test("a twin declares every shared asset that its files, or its assets' files, name; so a push there restarts it", async () => {
  const common = join(examples, "common");
  const assets = ["data", "digital_twins", "functions", "models", "tools"].flatMap((kind) =>
    readdirSync(join(common, kind)).map((name) => `${kind}/${name}`),
  );
  const namedIn = (folder: string) => {
    const code = filesOf(folder).filter((path) => !path.endsWith(".md"));
    const text = code.map((path) => readFileSync(join(folder, path), "utf8")).join("\n");
    return assets.filter((asset) => new RegExp(`${asset}(?![a-z0-9-])`).test(text));
  };
  for (const user of users) {
    for (const { name, folder, document } of (await validate(user)).twins) {
      const declared = (document?.spec.assets ?? []).map(({ path }) => path);
      const folders = declared.filter((path) => statSync(join(examples, path)).isDirectory());
      const named = [
        ...namedIn(join(examples, user, folder)),
        ...folders.flatMap((path) => namedIn(join(examples, path))),
      ];
      for (const asset of named) {
        const isDeclared = declared.some((path) => `${path}/`.startsWith(`common/${asset}/`));
        expect(isDeclared, `${user}/${name} uses common/${asset}`).toBe(true);
      }
    }
  }
});

test("every script says what runs it and is executable, as Git will keep it", () => {
  for (const repository of [...shared, ...users]) {
    for (const path of filesOf(join(examples, repository))) {
      const file = join(examples, repository, path);
      const hasInterpreter = readFileSync(file, "utf8").startsWith("#!");
      const isExecutable = (statSync(file).mode & 0o111) === 0o111;
      expect(isExecutable, `${repository}/${path}`).toBe(hasInterpreter);
      if (path.includes("/lifecycle/")) expect(hasInterpreter, `${repository}/${path}`).toBe(true);
    }
  }
});
