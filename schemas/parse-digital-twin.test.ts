import { describe, expect, test } from "vitest";
import type { Diagnostic } from "./diagnostic.ts";
import { type ParseTwinOptions, parseDigitalTwin } from "./parse-digital-twin.ts";
import type { TwinDocument } from "./twin-spec.ts";

const head = "apiVersion: dtaas/v1\nkind: DigitalTwin\nmetadata: { name: tank }\nspec:\n";
const firstSpecLine = 5;

function parse(text: string | Uint8Array, options: Partial<ParseTwinOptions> = {}) {
  return parseDigitalTwin(text, { file: "dt.yaml", folder: "tank", user: "user1", ...options });
}

/** The normalised document of a twin with these lines in its `spec`. */
function accepted(specLines: string, options: Partial<ParseTwinOptions> = {}): TwinDocument {
  const { document, diagnostics } = parse(head + specLines, { scripts: ["execute"], ...options });
  expect(diagnostics).toEqual([]);
  if (document === undefined) throw new Error("no document");
  return document;
}

function refused(specLines: string, options: Partial<ParseTwinOptions> = {}): Diagnostic[] {
  const { document, diagnostics } = parse(head + specLines, { scripts: ["execute"], ...options });
  expect(document).toBeUndefined();
  return diagnostics;
}

describe("a twin that says the least", () => {
  test("gets every default, and one operation for each script in lifecycle/", () => {
    const { document, diagnostics } = parse(`${head}  {}\n`, { scripts: ["execute", "create", "README.md"] });
    const operation = { workingDir: "digital_twins/tank", graceMs: 10_000, outputs: [] };
    expect(diagnostics).toEqual([]);
    expect(document).toEqual({
      metadata: { name: "tank", title: "tank", description: "", labels: {} },
      state: "stopped",
      suspend: false,
      derived: false,
      spec: {
        integrationLevel: "twin",
        workspace: { template: "base", packages: { apt: [], pip: [] } },
        assets: [],
        environment: {},
        lifecycle: {
          create: { run: "lifecycle/create", timeoutMs: 3_600_000, ...operation },
          execute: { run: "lifecycle/execute", ...operation },
        },
        dependsOn: [],
        restart: { policy: "on-failure", maxRetries: 5, backoffMs: 2000 },
        rollout: { strategy: "replace", timeoutMs: 60_000 },
        resources: { cpus: 1, memoryBytes: 512 * 1024 * 1024, pids: 256 },
      },
    } satisfies TwinDocument);
  });

  test("is warned when it has nothing to run", () => {
    const { document, diagnostics } = parse(`${head}  {}\n`);
    expect(document).toBeDefined();
    expect(diagnostics).toMatchObject([{ code: "no-operations", severity: "warning", line: 4, column: 1 }]);
  });
});

describe("each field arrives in the document", () => {
  test("metadata: title, description and labels", () => {
    const text = `apiVersion: dtaas/v1
kind: DigitalTwin
metadata: { name: tank, title: Water tank 🌊, description: "Two\\nlines", labels: { domain: fluid, team/lab: a b } }
spec: { lifecycle: { execute: { run: lifecycle/execute } } }
`;
    expect(parse(text).document?.metadata).toEqual({
      name: "tank",
      title: "Water tank 🌊",
      description: "Two\nlines",
      labels: { domain: "fluid", "team/lab": "a b" },
    });
  });

  test.each(["hello_world", "water_tank_FI", "mass-spring-damper"])(
    "the name of today's twin folder %s is fine",
    (name) => {
      const text = `apiVersion: dtaas/v1\nkind: DigitalTwin\nmetadata: { name: ${name} }\nspec: {}\n`;
      expect(parse(text, { folder: name, scripts: ["execute"] }).diagnostics).toEqual([]);
    },
  );

  test.each([
    ["model", "parallel"],
    ["shadow", "parallel"],
    ["twin", "replace"],
  ])("integrationLevel: %s makes %s the default rollout", (level, strategy) => {
    const { spec } = accepted(`  integrationLevel: ${level}\n`);
    expect([spec.integrationLevel, spec.rollout.strategy]).toEqual([level, strategy]);
  });

  test("state and suspend", () => {
    expect(accepted("  state: running\n  suspend: true\n")).toMatchObject({
      state: "running",
      suspend: true,
    });
  });

  test("workspace: a template of its own comes without the inherited packages", () => {
    const defaults = {
      workspace: { template: "python", packages: { apt: ["graphviz"], pip: ["numpy"] } },
      resources: { cpus: 2, memoryBytes: 1024 ** 3, pids: 100 },
    };
    const image = (lines: string) => accepted(lines, { defaults }).spec.workspace;
    expect(image("  suspend: false\n")).toEqual(defaults.workspace);
    expect(image("  workspace: { template: base }\n")).toEqual({
      template: "base",
      packages: { apt: [], pip: [] },
    });
    expect(image("  workspace: { packages: { pip: [scipy==1.14.0] } }\n")).toEqual({
      template: "python",
      packages: { apt: [], pip: ["scipy==1.14.0"] },
    });
    expect(
      image("  workspace: { template: base, packages: { apt: [g++, libstdc++6=12.2.0-14] } }\n"),
    ).toEqual({
      template: "base",
      packages: { apt: ["g++", "libstdc++6=12.2.0-14"], pip: [] },
    });
  });

  test("assets of every kind", () => {
    const kinds = ["data", "function", "model", "tool", "digital-twin"];
    const lines = kinds.map((kind) => `    - ${kind}: ./common/x/${kind}/\n`).join("");
    expect(accepted(`  assets:\n${lines}`).spec.assets).toEqual(
      kinds.map((kind) => ({ kind, path: `common/x/${kind}` })),
    );
  });

  test("environment: numbers and booleans arrive as they are written", () => {
    const { environment } = accepted(
      '  environment: { A: text, B: 1.10, C: 0x1F, D: True, E: 007, F: "", G: 12345678901234567890, lower_2: -0 }\n',
    ).spec;
    expect(environment).toEqual({
      A: "text",
      B: "1.10",
      C: "0x1F",
      D: "True",
      E: "007",
      F: "",
      G: "12345678901234567890",
      lower_2: "-0",
    });
  });

  test("lifecycle: scripts, commands, and all about an operation; the scripts of the folder no longer count", () => {
    const { lifecycle } = accepted(`  lifecycle:
    execute: { run: [python3, main.py, "--level", "2"], workingDir: models, timeout: 1h, grace: 0s, outputs: [./data/out/, results.csv] }
    my_own-2: { run: ./lifecycle/go }
`).spec;
    expect(lifecycle).toEqual({
      execute: {
        run: ["python3", "main.py", "--level", "2"],
        workingDir: "models",
        timeoutMs: 3_600_000,
        graceMs: 0,
        outputs: ["data/out", "results.csv"],
      },
      "my_own-2": {
        run: "lifecycle/go",
        workingDir: "digital_twins/tank",
        timeoutMs: 3_600_000,
        graceMs: 10_000,
        outputs: [],
      },
    });
  });

  test("dependsOn: names of the same user are completed", () => {
    expect(accepted("  dependsOn: [plant, user2/tank]\n").spec.dependsOn).toEqual([
      "user1/plant",
      "user2/tank",
    ]);
  });

  test("health by http and by exec", () => {
    expect(accepted("  health: { http: { port: 8000 } }\n").spec.health).toEqual({
      http: { port: 8000, path: "/" },
      intervalMs: 5000,
      timeoutMs: 2000,
      retries: 3,
    });
    expect(
      accepted("  health: { exec: [test, -f, up], interval: 500ms, timeout: 1s, retries: 9 }\n").spec.health,
    ).toEqual({ exec: ["test", "-f", "up"], intervalMs: 500, timeoutMs: 1000, retries: 9 });
  });

  test("restart, rollout and resources, each field by itself", () => {
    const { restart, rollout, resources } = accepted(`  restart: { policy: never, maxRetries: 0, backoff: 1m }
  rollout: { strategy: parallel, timeout: 2m }
  resources: { cpus: 0.5, memory: 100M, pids: 64 }
`).spec;
    expect(restart).toEqual({ policy: "never", maxRetries: 0, backoffMs: 60_000 });
    expect(rollout).toEqual({ strategy: "parallel", timeoutMs: 120_000 });
    expect(resources).toEqual({ cpus: 0.5, memoryBytes: 100_000_000, pids: 64 });
    expect(accepted("  resources: { cpus: 2 }\n").spec.resources).toMatchObject({ cpus: 2, pids: 256 });
  });

  test("anchors and aliases repeat a value", () => {
    const { lifecycle } = accepted(
      "  lifecycle: { create: &op { run: lifecycle/go, timeout: 5m }, execute: *op }\n",
    ).spec;
    expect(lifecycle["execute"]).toEqual(lifecycle["create"]);
  });

  test("JSON is YAML", () => {
    const text = JSON.stringify({
      apiVersion: "dtaas/v1",
      kind: "DigitalTwin",
      metadata: { name: "tank" },
      spec: {},
    });
    expect(parse(text, { scripts: ["execute"] }).diagnostics).toEqual([]);
  });

  test("Windows line ends and a byte order mark are no matter", () => {
    const text = `\ufeff${head}  state: runing\n`.replaceAll("\n", "\r\n");
    expect(parse(Buffer.from(text), { scripts: ["execute"] }).diagnostics).toMatchObject([
      { code: "unknown-value", line: firstSpecLine, column: 10 },
    ]);
  });
});

describe("a problem is told where it stands, with what to do", () => {
  const cases: [string, string, Partial<Diagnostic>][] = [
    [
      "a misspelt field",
      "  integrationLvel: twin\n",
      { code: "unknown-field", column: 3, hint: "did you mean `integrationLevel`?" },
    ],
    ["a field of a later language", "  expose: []\n", { code: "unknown-field", column: 3 }],
    [
      "a field in the wrong place",
      "  labels: {}\n",
      { code: "unknown-field", column: 3, hint: "it belongs under `metadata`" },
    ],
    [
      "a misspelt value",
      "  state: runing\n",
      { code: "unknown-value", column: 10, hint: "did you mean `running`?" },
    ],
    [
      "an integration level that is none",
      "  integrationLevel: ghost\n",
      { code: "unknown-value", column: 21 },
    ],
    ["text for a boolean", '  suspend: "no"\n', { code: "wrong-type", column: 12 }],
    [
      "an empty field",
      "  assets:\n",
      { code: "wrong-type", column: 3, hint: "give it a value or leave the field out" },
    ],
    [
      "an option as a package",
      "  workspace: { packages: { apt: [-y] } }\n",
      { code: "invalid-value", column: 34 },
    ],
    [
      "a package to be removed",
      "  workspace: { packages: { apt: [bash-] } }\n",
      { code: "invalid-value", column: 34 },
    ],
    [
      "a URL as a package",
      '  workspace: { packages: { pip: ["git+https://x/y"] } }\n',
      { code: "invalid-value", column: 34 },
    ],
    [
      "an option as a Python package",
      "  workspace: { packages: { pip: [--pre] } }\n",
      { code: "invalid-value", column: 34 },
    ],
    [
      "a file as a Python package",
      "  workspace: { packages: { pip: [./x.whl] } }\n",
      { code: "invalid-value", column: 34 },
    ],
    ["npm packages", "  workspace: { packages: { npm: [] } }\n", { code: "unknown-field", column: 28 }],
    ["a template with a path", "  workspace: { template: ../x }\n", { code: "invalid-value", column: 26 }],
    [
      "an asset that climbs out",
      "  assets: [{ model: models/../../x }]\n",
      { code: "invalid-value", column: 21 },
    ],
    ["an absolute asset", "  assets: [{ model: /etc/passwd }]\n", { code: "invalid-value", column: 21 }],
    ["an asset below .git", "  assets: [{ model: x/.GIT/config }]\n", { code: "invalid-value", column: 21 }],
    ["an asset with a backslash", "  assets: [{ model: 'a\\b' }]\n", { code: "invalid-value", column: 21 }],
    ["an asset of two kinds", "  assets: [{ model: a, data: b }]\n", { code: "exactly-one", column: 12 }],
    ["an asset of no kind", "  assets: [{}]\n", { code: "exactly-one", column: 12 }],
    [
      "an asset of an unknown kind",
      "  assets: [{ modle: a }]\n",
      { code: "unknown-field", column: 14, hint: "did you mean `model`?" },
    ],
    ["an asset without its kind", "  assets: [models/a]\n", { code: "wrong-type", column: 12 }],
    ["an asset twice", "  assets: [{ model: a }, { model: a }]\n", { code: "duplicate-item", column: 26 }],
    ["a variable of the platform", "  environment: { DT_TWIN: x }\n", { code: "invalid-name", column: 18 }],
    ["a variable with a dash", "  environment: { A-B: x }\n", { code: "invalid-name", column: 18 }],
    ["a variable that is a list", "  environment: { A: [x] }\n", { code: "wrong-type", column: 21 }],
    ["an operation without run", "  lifecycle: { execute: {} }\n", { code: "missing-field", column: 16 }],
    [
      "an operation as text",
      "  lifecycle: { execute: lifecycle/execute }\n",
      { code: "wrong-type", column: 25, hint: "for example: { run: lifecycle/create }" },
    ],
    [
      "an operation with a bad name",
      "  lifecycle: { Execute: { run: a } }\n",
      { code: "invalid-name", column: 16 },
    ],
    [
      "an operation named as every object's constructor",
      "  lifecycle: { constructor: { run: a } }\n",
      { code: "invalid-name", column: 16 },
    ],
    ["an empty command", "  lifecycle: { execute: { run: [] } }\n", { code: "empty-value", column: 32 }],
    [
      "a script outside the twin",
      "  lifecycle: { execute: { run: ../x } }\n",
      { code: "invalid-value", column: 32 },
    ],
    [
      "a duration without unit",
      "  lifecycle: { execute: { run: a, timeout: 5 } }\n",
      { code: "wrong-type", column: 44, hint: "for example: 5m" },
    ],
    [
      "a duration with another unit",
      "  lifecycle: { execute: { run: a, timeout: 5min } }\n",
      { code: "invalid-value", column: 44 },
    ],
    [
      "a duration beyond the limit",
      "  lifecycle: { execute: { run: a, timeout: 90d } }\n",
      { code: "out-of-range", column: 44 },
    ],
    [
      "an absolute working folder",
      "  lifecycle: { execute: { run: a, workingDir: /tmp } }\n",
      { code: "invalid-value", column: 47 },
    ],
    [
      "outputs below common/",
      "  lifecycle: { execute: { run: a, outputs: [./common/x] } }\n",
      { code: "invalid-value", column: 45 },
    ],
    [
      "a pattern as output",
      '  lifecycle: { execute: { run: a, outputs: ["*.csv"] } }\n',
      { code: "invalid-value", column: 45 },
    ],
    [
      "running without execute",
      "  lifecycle: { excute: { run: a } }\n  state: running\n",
      { code: "execute-missing", line: 6, column: 10, hint: "did you mean `excute`?" },
    ],
    ["a dependency that is no name", "  dependsOn: [a/b/c]\n", { code: "invalid-value", column: 15 }],
    [
      "a twin that waits for itself",
      "  dependsOn: [user1/tank]\n",
      { code: "depends-on-itself", column: 15 },
    ],
    ["one dependency by two names", "  dependsOn: [a, user1/a]\n", { code: "duplicate-item", column: 18 }],
    [
      "health of two kinds",
      "  health: { http: { port: 1 }, exec: [a] }\n",
      { code: "exactly-one", column: 32 },
    ],
    ["health of no kind", "  health: { retries: 1 }\n", { code: "exactly-one", column: 3 }],
    ["a port that is none", "  health: { http: { port: 65536 } }\n", { code: "out-of-range", column: 27 }],
    [
      "a health path without slash",
      "  health: { http: { port: 1, path: x } }\n",
      { code: "invalid-value", column: 36 },
    ],
    [
      "an unknown policy",
      "  restart: { policy: on-falure }\n",
      { code: "unknown-value", column: 22, hint: "did you mean `on-failure`?" },
    ],
    ["half a retry", "  restart: { maxRetries: 1.5 }\n", { code: "wrong-type", column: 26 }],
    ["an unknown strategy", "  rollout: { strategy: bluegreen }\n", { code: "unknown-value", column: 24 }],
    ["no processor at all", "  resources: { cpus: 0 }\n", { code: "out-of-range", column: 22 }],
    ["endless processors", "  resources: { cpus: .inf }\n", { code: "wrong-type", column: 22 }],
    [
      "memory without unit",
      "  resources: { memory: 512 }\n",
      { code: "wrong-type", column: 24, hint: "for example: 512Mi" },
    ],
    ["memory in another unit", "  resources: { memory: 1GB }\n", { code: "invalid-value", column: 24 }],
    ["too little memory", "  resources: { memory: 1Mi }\n", { code: "out-of-range", column: 24 }],
    [
      "a secret whose name begins with a digit",
      "  secrets: [1TOKEN]\n",
      { code: "invalid-value", column: 13, hint: "for example: PLANT_TOKEN" },
    ],
    [
      "a secret with a name of the platform's",
      "  secrets: [DT_TOKEN]\n",
      { code: "invalid-value", column: 13 },
    ],
    ["a value instead of a name", "  secrets: { TOKEN: hunter2 }\n", { code: "wrong-type", column: 12 }],
    [
      "a secret with a field that is misspelt",
      "  secrets: [{ name: A, environment: true }]\n",
      { code: "unknown-field", column: 24 },
    ],
    ["a secret without a name", "  secrets: [{ env: true }]\n", { code: "missing-field", column: 13 }],
    ["the same secret twice", "  secrets: [A, A]\n", { code: "duplicate-item", column: 16 }],
    [
      "the same secret twice, once for the environment",
      "  secrets: [A, { name: A, env: true }]\n",
      { code: "duplicate-item", column: 16, hint: "keep one of them" },
    ],
    [
      "a secret and a plain variable of one name",
      "  environment: { A: x }\n  secrets: [{ name: A, env: true }]\n",
      { code: "name-taken", line: 6, column: 13 },
    ],
    ["too little disk", "  resources: { disk: 1Ki }\n", { code: "out-of-range", column: 22 }],
  ];

  test.each(cases)("%s", (_name, specLines, expected) => {
    expect(refused(specLines)).toMatchObject([
      { file: "dt.yaml", severity: "error", line: firstSpecLine, ...expected },
    ]);
  });

  test("a name other than the folder's", () => {
    expect(refused("  {}\n", { folder: "tank-2" })).toMatchObject([
      { code: "name-not-folder", line: 3, column: 19, hint: "write `name: tank-2`, or rename the folder" },
    ]);
  });

  test("a template that this installation does not have", () => {
    expect(refused("  workspace: { template: pyton }\n", { templates: ["base", "python"] })).toMatchObject([
      { code: "unknown-template", line: firstSpecLine, column: 26, hint: "did you mean `python`?" },
    ]);
  });

  test("another kind, another version and missing parts, at the same time", () => {
    expect(parse("apiVersion: dtaas/v2\nkind: Twin\nmetadata: {}\n").diagnostics).toMatchObject([
      { code: "missing-field", line: 1, column: 1, message: "the field `spec` is missing" },
      { code: "unknown-value", line: 1, column: 13, hint: "did you mean `dtaas/v1`?" },
      { code: "unknown-value", line: 2, column: 7, message: "`kind` must be `DigitalTwin`, not `Twin`" },
      { code: "missing-field", line: 3, column: 1, message: "`metadata` lacks the field `name`" },
    ]);
  });

  test("all problems of a document come in one pass, in the order of the text", () => {
    const found = refused(
      "  state: runing\n  environment: { A-B: 1 }\n  dependsOn: [tank]\n  resources: { cpus: 1000 }\n",
    );
    expect(found.map(({ code, line }) => [code, line])).toEqual([
      ["unknown-value", 5],
      ["invalid-name", 6],
      ["depends-on-itself", 7],
      ["out-of-range", 8],
    ]);
  });

  test("a value behind an alias is shown where it is written", () => {
    const found = refused("  environment: { A: &x [1] }\n  dependsOn: *x\n");
    expect(found).toMatchObject([
      { code: "wrong-type", line: 5, column: 24 },
      { code: "wrong-type", line: 5, column: 25 },
    ]);
  });

  test("later findings find their place too, also where a value was left out", () => {
    const { locate } = parse(`${head}  assets:\n    - model: models/a\n`);
    expect(locate("/spec/assets/0/model")).toEqual({ line: 6, column: 14 });
    expect(locate("/spec/assets/0/model", "key")).toEqual({ line: 6, column: 7 });
    expect(locate("/spec/assets/7/model")).toEqual({ line: 5, column: 3 });
    expect(locate("/spec/lifecycle/execute/run")).toEqual({ line: 4, column: 1 });
    expect(locate("")).toEqual({ line: 1, column: 1 });
    expect(locate("/spec/assets/__proto__/x")).toEqual({ line: 5, column: 3 });
  });
});
