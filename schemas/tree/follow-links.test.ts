import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { checkLinks, type ListedEntry } from "./check-listing.ts";
import { followLinks } from "./follow-links.ts";

const root = mkdtempSync(join(tmpdir(), "links-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const kinds: Record<string, ListedEntry["kind"]> = {
  a: "folder",
  "a/b": "folder",
  "a/b/f": "file",
  c: "folder",
};

function entry(path: string, kind: ListedEntry["kind"]): ListedEntry {
  return { path, kind, bytes: 1 };
}

test("a path without links ends where it says", () => {
  const listing = { kind: (path: string) => kinds[path], target: () => undefined };
  expect(followLinks("a/b/f", listing)).toEqual({ path: "a/b/f" });
  expect(followLinks("a/./b/../b//f", listing)).toEqual({ path: "a/b/f" });
  expect(followLinks("../x", listing)).toEqual({ fault: "The link leads out of the repository" });
});

test("a tree of links that is accepted never leads out of the repository on a real disk", () => {
  const name = fc.constantFrom("a", "b", "c", "f", "l1", "l2", "l3", "..", "..", ".");
  const target = fc.array(name, { minLength: 1, maxLength: 6 }).map((names) => names.join("/"));
  const place = fc.constantFrom("", "a/", "a/b/", "c/");
  const links = fc.uniqueArray(fc.tuple(place, fc.constantFrom("l1", "l2", "l3"), target), {
    selector: ([folder, link]) => folder + link,
    maxLength: 6,
  });
  let accepted = 0;
  let refused = 0;
  fc.assert(
    fc.property(links, (made) => {
      const targets = new Map(made.map(([folder, link, to]) => [folder + link, to]));
      const entries = [
        ...Object.entries(kinds).map(([path, kind]) => entry(path, kind)),
        ...[...targets.keys()].map((path) => entry(path, "link")),
      ];
      const bad = new Set(checkLinks(entries, targets).map(({ path }) => path));
      const repository = mkdtempSync(join(root, "tree-"));
      for (const [path, kind] of Object.entries(kinds)) {
        if (kind === "folder") mkdirSync(join(repository, path));
        else writeFileSync(join(repository, path), "");
      }
      for (const [path, to] of targets) {
        mkdirSync(dirname(join(repository, path)), { recursive: true });
        symlinkSync(to, join(repository, path));
      }
      const real = realpathSync(repository);
      for (const path of targets.keys()) {
        if (bad.has(path)) {
          refused += 1;
          continue;
        }
        accepted += 1;
        const end = realpathIfAny(join(repository, path));
        if (end !== undefined) expect(`${end}/`.startsWith(`${real}/`)).toBe(true);
      }
    }),
    { numRuns: 300 },
  );
  expect(accepted).toBeGreaterThan(50);
  expect(refused).toBeGreaterThan(50);
});

test("links that lead through very many folders are refused instead of being followed to their end", () => {
  const deep = `${"x/".repeat(60)}${"../".repeat(60)}`;
  const targets = new Map(Array.from({ length: 30 }, (_, n) => [`l${n}`, `${deep}l${n + 1}`]));
  const entries = [...targets.keys()].map((path) => entry(path, "link"));
  const refused = checkLinks(entries, targets).map(({ path }) => path);
  expect(refused).toEqual([...targets.keys()]);
});

function realpathIfAny(path: string): string | undefined {
  try {
    return realpathSync(path);
  } catch {
    return undefined; // dangling, a circle or through a file: leads nowhere
  }
}
