import { describe, expect, test } from "vitest";
import { repositoryTree } from "./repository-tree.ts";
import { type RepositoryToValidate, validateRepository } from "./validate-repository.ts";

const dt = (name: string, spec = "{}") =>
  `apiVersion: dtaas/v1\nkind: DigitalTwin\nmetadata: { name: ${name} }\nspec: ${spec}\n`;

/** Files by path; `*` at the end of a path: executable. */
function repository(
  files: Record<string, string | Uint8Array>,
  more: Partial<RepositoryToValidate> = {},
): RepositoryToValidate {
  const paths = Object.keys(files).map((path) => ({
    path: path.replace(/\*$/, ""),
    kind: "file" as const,
    executable: path.endsWith("*"),
    id: path,
  }));
  return {
    user: "user1",
    tree: repositoryTree(paths),
    read: async (path) => files[path],
    common: "unknown",
    ...more,
  };
}

async function findings(
  files: Record<string, string | Uint8Array>,
  more: Partial<RepositoryToValidate> = {},
) {
  const { diagnostics } = await validateRepository(repository(files, more));
  return diagnostics.map(({ code, file, line, column, severity, hint }) => ({
    at: `${file}:${line}:${column}`,
    code,
    severity,
    hint,
  }));
}

describe("a user's repository", () => {
  test("as DTaaS users have it today, without any dt.yaml, is fine", async () => {
    const { twins, diagnostics } = await validateRepository(
      repository({
        ".gitlab-ci.yml": "",
        "README.md": "",
        "models/a/model.fmu": "",
        "digital_twins/README.md": "",
        "digital_twins/hello_world/.gitlab-ci.yml": "",
        "digital_twins/hello_world/description.md": "",
        "digital_twins/hello_world/lifecycle/create*": "",
        "digital_twins/hello_world/lifecycle/execute*": "",
        "digital_twins/hello_world/lifecycle/helper.py*": "",
        "digital_twins/only-files/model.json": "",
      }),
    );
    expect(diagnostics).toEqual([]);
    expect(
      twins.map(({ name, document }) => [
        name,
        document?.derived,
        Object.keys(document?.spec.lifecycle ?? {}),
      ]),
    ).toEqual([["hello_world", true, ["create", "execute"]]]);
  });

  test("one broken twin never hides another", async () => {
    const { twins } = await validateRepository(
      repository({
        "digital_twins/a/dt.yaml": "{",
        "digital_twins/b/dt.yaml": new Uint8Array([0xff, 0xfe]),
        "digital_twins/c/dt.yaml": dt("c"),
        "digital_twins/c/lifecycle/execute*": "",
        "digital_twins/d/dt.yaml/file": "",
        "digital_twins/e/dt.yml": dt("e"),
        "digital_twins/f/dt.yaml": "",
      }),
    );
    expect(
      twins.map(({ name, document, diagnostics }) => [name, document !== undefined, diagnostics[0]?.code]),
    ).toEqual([
      ["a", false, "yaml-syntax"],
      ["b", false, "not-utf8"],
      ["c", true, undefined],
      ["d", false, "not-a-file"],
      ["e", false, "wrong-file-name"],
      ["f", false, "empty-document"],
    ]);
  });

  test("a folder whose name cannot be a twin's is reported, the others go on", async () => {
    const files = {
      "digital_twins/my twin/lifecycle/execute*": "",
      "digital_twins/-x/dt.yaml": "",
      [`digital_twins/${"a".repeat(40)}/dt.yaml`]: "",
      "digital_twins/ok/lifecycle/execute*": "",
    };
    const { twins, diagnostics } = await validateRepository(repository(files));
    expect(twins.map(({ name }) => name)).toEqual(["ok"]);
    expect(diagnostics.map(({ code, file }) => [code, file.slice(0, 22)])).toEqual([
      ["invalid-twin-name", "digital_twins/-x"],
      ["invalid-twin-name", "digital_twins/aaaaaaaa"],
      ["invalid-twin-name", "digital_twins/my twin"],
    ]);
  });

  test("missing assets are told at their line, with what stands beside them", async () => {
    const common = repositoryTree([
      { path: "models/thermal/model.py", kind: "file", executable: false, id: "1" },
    ]);
    const spec =
      "\n  assets:\n    - model: models/plnat\n    - model: common/models/termal\n    - model: common/models/thermal\n";
    const files = {
      "digital_twins/a/dt.yaml": dt("a", spec),
      "digital_twins/a/lifecycle/execute*": "",
      "models/plant/m": "",
    };
    const hint = (name: string) => `did you mean \`${name}\`?`;
    expect(await findings(files, { common })).toMatchObject([
      { at: "digital_twins/a/dt.yaml:6:14", code: "asset-missing", severity: "error", hint: hint("plant") },
      { at: "digital_twins/a/dt.yaml:7:14", code: "asset-missing", hint: hint("thermal") },
    ]);
    expect(await findings(files, { common: "unknown" })).toHaveLength(1);
    expect(await findings(files, { common: "none" })).toHaveLength(3);
  });

  test("where there is no shared repository, the user's own common/ folder counts", async () => {
    const files = {
      "digital_twins/a/dt.yaml": dt("a", "{ assets: [{ model: common/models/x }] }"),
      "digital_twins/a/lifecycle/execute*": "",
      "common/models/x": "",
    };
    expect(await findings(files, { common: "none" })).toEqual([]);
    expect(await findings(files, { common: repositoryTree([]) })).toMatchObject([{ code: "asset-missing" }]);
  });

  test("scripts must be there and executable, working folders should be there", async () => {
    const spec = `
  lifecycle:
    create: { run: lifecycle/craete }
    execute: { run: lifecycle/execute }
    save: { run: python3 save.py }
    clean: { run: lifecycle }
    analyse: { run: [python3, x.py], workingDir: models/x }
`;
    const files = {
      "digital_twins/a/dt.yaml": dt("a", spec),
      "digital_twins/a/lifecycle/create*": "",
      "digital_twins/a/lifecycle/execute": "",
      "models/y": "",
    };
    const file = "digital_twins/a/dt.yaml";
    expect(await findings(files)).toMatchObject([
      { at: `${file}:6:20`, code: "script-missing", severity: "error", hint: "did you mean `create`?" },
      {
        at: `${file}:7:21`,
        code: "script-not-executable",
        severity: "error",
        hint: "git update-index --chmod=+x digital_twins/a/lifecycle/execute",
      },
      {
        at: `${file}:8:18`,
        code: "script-missing",
        hint: "to run a command with arguments write a list: [python3, save.py]",
      },
      { at: `${file}:9:19`, code: "script-missing" },
      { at: `${file}:10:50`, code: "working-folder-missing", severity: "warning" },
    ]);
  });

  test("a script of a twin without lifecycle that is not executable is a warning with the command that mends it", async () => {
    const files = { "digital_twins/a/lifecycle/create": "", "digital_twins/a/lifecycle/execute*": "" };
    expect(await findings(files)).toEqual([
      {
        at: "digital_twins/a/lifecycle/create:1:1",
        code: "script-not-executable",
        severity: "warning",
        hint: "git update-index --chmod=+x digital_twins/a/lifecycle/create",
      },
    ]);
  });

  test("state: running with an execute script that is not executable names both", async () => {
    const files = {
      "digital_twins/a/dt.yaml": dt("a", "{ state: running }"),
      "digital_twins/a/lifecycle/execute": "",
    };
    expect((await findings(files)).map(({ code }) => code)).toEqual([
      "execute-missing",
      "script-not-executable",
    ]);
  });

  test("cycles are errors, unknown twins warnings, within a repository and beyond it", async () => {
    const files = {
      "digital_twins/a/dt.yaml": dt("a", "{ dependsOn: [b] }"),
      "digital_twins/a/lifecycle/execute*": "",
      "digital_twins/b/dt.yaml": dt("b", "{ dependsOn: [user2/x, c] }"),
      "digital_twins/b/lifecycle/execute*": "",
    };
    const otherTwins = [
      { user: "user2", twin: "x", dependsOn: ["user1/a"], file: "digital_twins/x/dt.yaml" },
    ];
    expect((await findings(files)).map(({ code }) => code)).toEqual(["unknown-dependency"]);
    expect((await findings(files, { otherTwins: [] })).map(({ code }) => code)).toEqual([
      "unknown-dependency",
      "unknown-dependency",
    ]);
    const { twins } = await validateRepository(repository(files, { otherTwins }));
    expect(twins.map(({ document }) => document)).toEqual([undefined, undefined]);
    expect(twins[0]?.diagnostics.at(-1)?.message).toContain("user1/a -> user1/b -> user2/x -> user1/a");
  });
});

describe("workspace.yaml and platform.yaml", () => {
  const workspace = (spec: string) => `apiVersion: dtaas/v1\nkind: Workspace\nspec: ${spec}\n`;
  const twins = {
    "digital_twins/a/lifecycle/execute*": "",
    "digital_twins/b/dt.yaml": dt("b", "{ workspace: { template: base } }"),
    "digital_twins/b/lifecycle/execute*": "",
  };

  test("twins inherit from the user's workspace.yaml, it from the platform", async () => {
    const files = { ...twins, "workspace.yaml": workspace("{ packages: { pip: [numpy] } }") };
    const platform = {
      group: "g",
      shared: [],
      defaults: {
        workspace: { template: "python", packages: { apt: ["git"], pip: [] } },
        resources: { cpus: 3, memoryBytes: 1, pids: 9 },
      },
    };
    const result = await validateRepository(repository(files, { platform }));
    expect(result.workspace).toEqual({
      workspace: { template: "python", packages: { apt: [], pip: ["numpy"] } },
      shared: [],
      resources: {},
    });
    expect(result.twins.map(({ document }) => document?.spec.workspace)).toEqual([
      { template: "python", packages: { apt: [], pip: ["numpy"] } },
      { template: "base", packages: { apt: [], pip: [] } },
    ]);
    expect(result.twins[0]?.document?.spec.resources.cpus).toBe(3);
  });

  test.each([
    ["with an error", { "workspace.yaml": workspace("{ templat: x }") }],
    ["that is empty", { "workspace.yaml": "" }],
    ["with another ending", { "workspace.yml": workspace("{}") }],
  ])("a workspace.yaml %s stops the twins that inherit from it, and no other", async (_name, file) => {
    const { twins: validated, diagnostics } = await validateRepository(repository({ ...twins, ...file }));
    expect(validated.map(({ name, document }) => [name, document !== undefined])).toEqual([
      ["a", false],
      ["b", true],
    ]);
    expect(validated[0]?.diagnostics[0]).toMatchObject({
      code: "workspace-broken",
      file: Object.keys(file)[0],
      line: expect.any(Number),
    });
    expect(diagnostics).toHaveLength(1);
  });

  test("platform.yaml is validated where there is one", async () => {
    const good = await validateRepository(
      repository({ "platform.yaml": "apiVersion: dtaas/v1\nkind: Platform\nspec: { group: dtaas }\n" }),
    );
    expect(good).toMatchObject({ platform: { group: "dtaas" }, diagnostics: [] });
    expect(await findings({ "platform.yaml": "a: 1" })).not.toEqual([]);
  });
});

describe("reading", () => {
  test("a document that is too large is not even read", async () => {
    const tree = repositoryTree([
      { path: "digital_twins/a/dt.yaml", kind: "file", executable: false, id: "1", bytes: 300 * 1024 },
    ]);
    const read = () => Promise.reject(new Error("must not be read"));
    const { diagnostics } = await validateRepository({ user: "u", tree, read, common: "none" });
    expect(diagnostics).toMatchObject([{ code: "file-too-large", file: "digital_twins/a/dt.yaml" }]);
  });

  test("a host that is down is the caller's matter, not a finding", async () => {
    const tree = repositoryTree([
      { path: "digital_twins/a/dt.yaml", kind: "file", executable: false, id: "1" },
    ]);
    const read = () => Promise.reject(new Error("down"));
    await expect(validateRepository({ user: "u", tree, read, common: "none" })).rejects.toThrow("down");
  });

  test("beyond a thousand twins the rest is named and left", async () => {
    const files = Object.fromEntries(
      Array.from({ length: 1001 }, (_, n) => [`digital_twins/t${n}/lifecycle/execute*`, ""]),
    );
    const { twins, diagnostics } = await validateRepository(repository(files));
    expect(twins).toHaveLength(1000);
    expect(diagnostics).toMatchObject([{ code: "too-many-twins" }]);
  });
});
