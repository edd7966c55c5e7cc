import { describe, expect, test } from "vitest";
import { builtInDefaults, twinDefaults } from "./defaults.ts";
import { parsePlatform } from "./parse-platform.ts";
import { parseWorkspace } from "./parse-workspace.ts";

const platformHead = "apiVersion: dtaas/v1\nkind: Platform\nspec:\n";
const workspaceHead = "apiVersion: dtaas/v1\nkind: Workspace\nspec:\n";
const platform = (lines: string) => parsePlatform(platformHead + lines, { file: "platform.yaml" });
const workspace = (lines: string, defaults = builtInDefaults) =>
  parseWorkspace(workspaceHead + lines, { file: "workspace.yaml", defaults });

describe("platform.yaml", () => {
  test("only a group: everything else is built in", () => {
    expect(platform("  group: dtaas\n")).toMatchObject({
      document: { group: "dtaas", shared: [], defaults: builtInDefaults },
      diagnostics: [],
    });
  });

  test("shared repositories with the groups that may read them, and defaults", () => {
    const { document, diagnostics } = platform(`  group: university/dtaas
  shared: [{ project: university/dtaas/common }, { project: lab/turbine-assets, groups: [turbines, lab/guests] }]
  defaults:
    workspace: { template: python, packages: { pip: [numpy] } }
    resources: { cpus: 2, memory: 1Gi }
`);
    expect(diagnostics).toEqual([]);
    expect(document).toEqual({
      group: "university/dtaas",
      shared: [
        { project: "university/dtaas/common", groups: [] },
        { project: "lab/turbine-assets", groups: ["turbines", "lab/guests"] },
      ],
      defaults: {
        workspace: { template: "python", packages: { apt: [], pip: ["numpy"] } },
        resources: { cpus: 2, memoryBytes: 1024 ** 3, pids: 256 },
      },
    });
  });

  test("how long what is no longer needed is kept, in milliseconds", () => {
    const retention = (text: string) => platform(`  group: dtaas\n  retention: ${text}\n`);
    expect(retention("{ runs: 90d, images: 12h }").document?.retention).toEqual({
      runsMs: 90 * 24 * 3_600_000,
      imagesMs: 12 * 3_600_000,
    });
    expect(retention("{ runs: 5m }").diagnostics).toMatchObject([{ code: "out-of-range", line: 5 }]);
    expect(retention("{ run: 5d }").diagnostics).toMatchObject([{ code: "unknown-field", line: 5 }]);
  });

  test("limits of each user, in cores and bytes; what is left out has none", () => {
    const limits = (text: string) => platform(`  group: dtaas\n  limits: ${text}\n`).document?.limits;
    expect(limits("{ perUser: { twins: 20, cpus: 1.5, memory: 8Gi } }")).toEqual({
      perUser: { twins: 20, cpus: 1.5, memoryBytes: 8 * 1024 ** 3 },
    });
    expect(limits("{ perUser: { twins: 0 } }")).toEqual({ perUser: { twins: 0 } });
    expect(limits("{}")).toBeUndefined();
  });

  test.each([
    ["a limit that is no size", "  group: a\n  limits: { perUser: { memory: 8 } }\n", "wrong-type", 5],
    ["a limit below zero", "  group: a\n  limits: { perUser: { twins: -1 } }\n", "out-of-range", 5],
    ["an unknown limit", "  group: a\n  limits: { perUser: { twin: 1 } }\n", "unknown-field", 5],
    ["no group", "  {}\n", "missing-field", 3],
    ["a group with a space", "  group: a b\n", "invalid-value", 4],
    ["a group that climbs", "  group: ../x\n", "invalid-value", 4],
    ["a shared project without group", "  group: a\n  shared: [{ project: common }]\n", "invalid-value", 5],
    ["a field that the language does not have", "  group: a\n  quotas: {}\n", "unknown-field", 5],
    ["a group that is none", "  group: a\n  shared: [{ project: a/b, groups: [a b] }]\n", "invalid-value", 5],
  ])("%s is refused", (_name, lines, code, line) => {
    const { document, diagnostics } = platform(lines);
    expect(document).toBeUndefined();
    expect(diagnostics).toMatchObject([{ code, line, file: "platform.yaml" }]);
  });
});

describe("workspace.yaml", () => {
  test("shared repositories of one's own, in order; a path that is none is refused", () => {
    expect(workspace("  shared: [lab/turbine-assets, user2/pumps]\n").document?.shared).toEqual([
      "lab/turbine-assets",
      "user2/pumps",
    ]);
    expect(workspace("  template: base\n").document?.shared).toEqual([]);
    expect(workspace("  shared: [../platform]\n").diagnostics).toMatchObject([
      { code: "invalid-value", line: 4 },
    ]);
  });

  test("a template replaces the platform's, packages included; packages alone keep it", () => {
    const wide = {
      ...builtInDefaults,
      workspace: { template: "python", packages: { apt: ["git"], pip: ["numpy"] } },
    };
    expect(workspace("  template: base\n", wide).document?.workspace).toEqual({
      template: "base",
      packages: { apt: [], pip: [] },
    });
    expect(workspace("  packages: { apt: [graphviz] }\n", wide).document?.workspace).toEqual({
      template: "python",
      packages: { apt: ["graphviz"], pip: [] },
    });
    expect(workspace("  {}\n", wide).document?.workspace).toEqual(wide.workspace);
  });

  test.each([
    ["another kind", "apiVersion: dtaas/v1\nkind: Platform\nspec: {}\n", "unknown-value", 2],
    ["resources, which are of a later language", `${workspaceHead}  resources: {}\n`, "unknown-field", 4],
    ["a misspelt template field", `${workspaceHead}  templat: base\n`, "unknown-field", 4],
    ["an option as package", `${workspaceHead}  packages: { pip: ["-r x"] }\n`, "invalid-value", 4],
  ])("%s is refused", (_name, text, code, line) => {
    const { document, diagnostics } = parseWorkspace(text, { file: "workspace.yaml" });
    expect(document).toBeUndefined();
    expect(diagnostics).toMatchObject([{ code, line }]);
  });

  test("what twins inherit comes from the user, then the platform, then what is built in", () => {
    const platformDocument = platform(
      "  group: a\n  defaults: { workspace: { template: python }, resources: { cpus: 4 } }\n",
    ).document;
    const wide = twinDefaults({ platform: platformDocument });
    const workspaceDocument = workspace("  packages: { pip: [scipy] }\n", wide).document;
    expect(twinDefaults({})).toEqual(builtInDefaults);
    expect(wide.workspace.template).toBe("python");
    expect(twinDefaults({ platform: platformDocument, workspace: workspaceDocument })).toEqual({
      workspace: { template: "python", packages: { apt: [], pip: ["scipy"] } },
      resources: { ...builtInDefaults.resources, cpus: 4 },
    });
  });
});
