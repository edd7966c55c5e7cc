import { describe, expect, test } from "vitest";
import { isImageAllowed } from "#planning/image-allowed";
import { parsePlatform } from "#schemas/parse-platform";
import { resolveWorkspace } from "./resolve-workspace.ts";

const templates = ["base", "desktop", "jupyter", "python"];
const workspace = (spec: string) => `apiVersion: dtaas/v1\nkind: Workspace\nspec:\n${spec}`;
const platform = (spec = "") =>
  parsePlatform(`apiVersion: dtaas/v1\nkind: Platform\nspec:\n  group: dtaas\n${spec}`, {
    file: "platform.yaml",
  }).document;

function resolve(text: string | undefined, more = "") {
  return resolveWorkspace(text, { platform: platform(more), templates });
}

describe("what a workspace.yaml asks for", () => {
  test("is the platform's default where it says nothing", () => {
    const defaults = "  defaults: { workspace: { template: python } }\n";
    expect(resolve(undefined, defaults)).toEqual({
      template: { template: "python", packages: { apt: [], pip: [] } },
      resources: { cpus: 2, memoryBytes: 4 * 1024 ** 3, shmBytes: 512 * 1024 ** 2, pids: 4960 },
    });
  });

  test("is taken as written", () => {
    const text =
      "  template: jupyter\n  idle: { stopAfter: 2h }\n  resources: { cpus: 0.5, memory: 1Gi, shm: 64Mi, pids: 99 }\n";
    expect(resolve(workspace(text))).toMatchObject({
      template: { template: "jupyter" },
      idleStopAfterMs: 7_200_000,
      resources: { cpus: 0.5, memoryBytes: 1024 ** 3, shmBytes: 64 * 1024 ** 2, pids: 99 },
    });
  });

  test.each([
    ["cpus: 3", "cpus", "3 is more than the 2"],
    ["memory: 9Gi", "memory", "9216Mi is more than the 1024Mi"],
    ["shm: 200Mi", "shm", "200Mi is more than the 128Mi"],
    ["pids: 2000", "pids", "2000 is more than the 1000"],
    ["disk: 3Gi", "disk", "3072Mi is more than the 2048Mi"],
  ])("beyond the limits is refused with its line: %s", (wish, name, says) => {
    const limits = "  limits: { workspace: { cpus: 2, memory: 1Gi, shm: 128Mi, pids: 1000, disk: 2Gi } }\n";
    const asked = () => resolve(workspace(`  resources:\n    ${wish}\n`), limits);
    expect(asked).toThrow(says);
    expect(asked).toThrow(
      expect.objectContaining({
        code: "WORKSPACE_LIMIT_EXCEEDED",
        where: { file: "workspace.yaml", line: 5, column: 5 + name.length + 2 },
      }),
    );
  });

  test("a default beyond the limits becomes the limit", () => {
    expect(resolve(undefined, "  limits: { workspace: { cpus: 1, memory: 1Gi } }\n").resources).toEqual({
      cpus: 1,
      memoryBytes: 1024 ** 3,
      shmBytes: 512 * 1024 ** 2,
      pids: 4960,
    });
  });

  test("files have no limit unless somebody sets one, the platform's holding where workspace.yaml does not say", () => {
    expect(resolve(undefined).resources.diskBytes).toBeUndefined();
    expect(resolve(workspace("  resources: { disk: 1Gi }\n")).resources.diskBytes).toBe(1024 ** 3);
    const limits = "  limits: { workspace: { disk: 2Gi } }\n";
    expect(resolve(undefined, limits).resources.diskBytes).toBe(2 * 1024 ** 3);
    expect(resolve(workspace("  resources: { disk: 1Gi }\n"), limits).resources.diskBytes).toBe(1024 ** 3);
  });

  test("nothing is given where the platform gives no workspaces", () => {
    expect(() => resolve(undefined, "  limits: { workspace: { perUser: 0 } }\n")).toThrow(
      expect.objectContaining({ code: "WORKSPACES_OFF" }),
    );
  });

  test("a broken one is refused at its line", () => {
    expect(() => resolve(workspace("  templaet: base\n"))).toThrow(
      expect.objectContaining({
        code: "WORKSPACE_SPEC_BROKEN",
        where: { file: "workspace.yaml", line: 4, column: 3 },
      }),
    );
  });

  test("an image needs a pattern that allows it", () => {
    const text = workspace("  image: intocps/workspace:main\n");
    expect(() => resolve(text)).toThrow(expect.objectContaining({ code: "IMAGE_NOT_ALLOWED" }));
    const allowed = resolve(text, "  policies: { images: ['intocps/*'] }\n");
    expect(allowed).toMatchObject({ image: "intocps/workspace:main" });
    expect(allowed.template).toBeUndefined();
  });
});

test.each([
  ["debian:12", "debian:*", true],
  ["debian:12", "debian", false],
  ["debian", "debian", true],
  ["evil/debian:12", "debian:*", false],
  ["debian:12@sha256:00", "debian:*", true],
  ["registry.test/intocps/workspace", "intocps/*", false],
  ["intocps/workspace", "*", true],
  ["a/b/c", "a/*/c", true],
  ["a/c", "a/*/c", false],
  ["ab", "ab*b", false],
  ["aXbXc", "a*b*c", true],
  [`a${"b".repeat(200)}`, "*b*b*b*b*b*b*b*b*c", false],
])("the image %s and the pattern %s: %s", (image, pattern, allowed) => {
  expect(isImageAllowed(image, [pattern])).toBe(allowed);
});
