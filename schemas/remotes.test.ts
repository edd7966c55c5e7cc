import { expect, test } from "vitest";
import { parsePlatform } from "./parse-platform.ts";
import { parseWorkspace } from "./parse-workspace.ts";

const workspace = (remotes: string) =>
  parseWorkspace(`apiVersion: dtaas/v1\nkind: Workspace\nspec:\n  remotes: ${remotes}\n`, {
    file: "workspace.yaml",
  });
const remote = (more: string) => `[{ name: a, direction: pull, url: "https://example.org/a.git", ${more} }]`;

test("a remote is read with every default filled in", () => {
  const { document, diagnostics } = workspace(
    '[{ name: lab, url: "https://example.org/a.git", direction: pull }, { name: b, url: "https://[2001:db8::1]:8443/b", direction: push, every: 90m, branch: release/2, credentials: GH_TOKEN }]',
  );
  expect(diagnostics).toEqual([]);
  expect(document?.remotes).toEqual([
    { name: "lab", url: "https://example.org/a.git", direction: "pull", everyMs: 3_600_000 },
    {
      name: "b",
      url: "https://[2001:db8::1]:8443/b",
      direction: "push",
      everyMs: 5_400_000,
      branch: "release/2",
      credentials: "GH_TOKEN",
    },
  ]);
  expect(workspace("[]").document?.remotes).toBeUndefined();
});

test.each([
  "ext::sh -c id",
  "file:///etc/passwd",
  "ssh://git@example.org/a.git",
  "git@example.org:a.git",
  "--upload-pack=id",
  "https://me:secret@example.org/a.git",
  "https://example.org",
  "https://example.org/a.git?x=1",
  "https://-x/a.git",
  "https://example.org/a b",
  "https://example.org/a\\nb",
])("the address %s is refused at its place", (url) => {
  const { document, diagnostics } = workspace(`[{ name: a, direction: pull, url: "${url}" }]`);
  expect(document).toBeUndefined();
  expect(diagnostics).toMatchObject([{ code: "invalid-value", line: 4 }]);
});

test.each([
  ["every: 30s", "out-of-range"],
  ["every: 31d", "out-of-range"],
  ["every: often", "invalid-value"],
  ["branch: --force", "invalid-value"],
  ["branch: a..b", "invalid-value"],
  ["branch: a.lock", "invalid-value"],
  ["branch: 'a b'", "invalid-value"],
  ["branch: 'a:b'", "invalid-value"],
  ["credentials: hunter2", "invalid-value"],
  ["folder: x", "unknown-field"],
])("a remote with %s is refused as %s", (more, code) => {
  expect(workspace(remote(more)).diagnostics).toMatchObject([{ code }]);
});

test("two remotes of one name are refused at the second", () => {
  const one = '{ name: a, direction: pull, url: "https://example.org/a.git" }';
  expect(workspace(`[${one}, ${one}]`).diagnostics).toMatchObject([{ code: "duplicate-item", line: 4 }]);
});

test("the platform says which hosts may be named", () => {
  const platform = (policies: string) =>
    parsePlatform(
      `apiVersion: dtaas/v1\nkind: Platform\nspec:\n  group: dtaas\n  policies: { remotes: ${policies} }\n`,
      { file: "platform.yaml" },
    );
  const read = platform('{ hosts: ["*.example.org"], private: ["git.plant.local:443", "[::1]:80"] }');
  expect(read.document?.remotes).toEqual({
    hosts: ["*.example.org"],
    private: ["git.plant.local:443", "[::1]:80"],
  });
  expect(platform("{}").document?.remotes).toEqual({ private: [] });
  expect(platform('{ private: ["git.plant.local"] }').diagnostics).toMatchObject([{ code: "invalid-value" }]);
  expect(platform('{ hosts: ["https://x"] }').diagnostics).toMatchObject([{ code: "invalid-value" }]);
});
