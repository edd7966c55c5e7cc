import fc from "fast-check";
import { expect, test } from "vitest";
import { type AssetFolder, mergeAssets } from "./merge-assets.ts";

/** A repository from the paths of its files. */
function repository(...files: string[]): AssetFolder {
  return {
    list(folder) {
      const below = folder === "" ? files : files.filter((file) => file.startsWith(`${folder}/`));
      const steps = folder === "" ? 0 : folder.split("/").length;
      return [...new Set(below.map((file) => file.split("/")[steps] ?? ""))].sort();
    },
  };
}

test("assets of several repositories stand side by side", () => {
  const { assets, hidden } = mergeAssets([
    repository("models/tank/tank.py", "data/flow.csv"),
    repository("models/pump/pump.py"),
  ]);
  expect(assets).toEqual([
    { path: "data/flow.csv", from: 0 },
    { path: "models/pump", from: 1 },
    { path: "models/tank", from: 0 },
  ]);
  expect(hidden).toEqual([]);
});

test("the same asset twice comes whole from the earlier repository, and the later one is named", () => {
  const { assets, hidden } = mergeAssets([
    repository("models/tank/a.py"),
    repository("models/tank/b.py"),
    repository("models/tank/c.py"),
  ]);
  expect(assets).toEqual([{ path: "models/tank", from: 0 }]);
  expect(hidden).toEqual([
    { path: "models/tank", from: 1, behind: 0 },
    { path: "models/tank", from: 2, behind: 0 },
  ]);
});

test("what describes a repository is no asset", () => {
  const { assets } = mergeAssets([
    repository(
      "README.md",
      ".gitlab-ci.yml",
      ".github/x/y",
      "models/README.md",
      "models/.gitkeep",
      "models/tank/README.md",
    ),
  ]);
  expect(assets).toEqual([{ path: "models/tank", from: 0 }]);
});

test("every asset has one source, and it is the first that has it", () => {
  const name = fc.constantFrom("a", "b", "c");
  const file = fc.tuple(name, name, name).map((parts) => parts.join("/"));
  fc.assert(
    fc.property(fc.array(fc.array(file), { maxLength: 4 }), (all) => {
      const { assets, hidden } = mergeAssets(all.map((files) => repository(...files)));
      const owners = (path: string) =>
        all.flatMap((files, at) => (files.some((each) => each.startsWith(`${path}/`)) ? [at] : []));
      expect(new Set(assets.map(({ path }) => path)).size).toBe(assets.length);
      for (const { path, from } of assets) {
        expect(owners(path)[0]).toBe(from);
        expect(hidden.filter((one) => one.path === path).map((one) => one.from)).toEqual(
          owners(path).slice(1),
        );
      }
      const paths = new Set(all.flat().map((each) => each.split("/").slice(0, 2).join("/")));
      expect(assets.map(({ path }) => path)).toEqual([...paths].sort());
    }),
  );
});
