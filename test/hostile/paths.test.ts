import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, posix } from "node:path";
import { buffer } from "node:stream/consumers";
import fc from "fast-check";
import tar from "tar-stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { GitEntry } from "#controller/assets/git-entry";
import { openOutput } from "#controller/reading/run-outputs";
import { isSafeName } from "#controller/reading/safe-name";
import { projectFolder } from "#core/data-folder";
import type { Containers } from "#runner/engine/engine";
import { keepOutputs } from "#runner/runs/keep-outputs";
import { checkListing } from "#schemas/tree/check-listing";

let root: string;
let run: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "paths-"));
});
afterAll(async () => await rm(root, { recursive: true, force: true }));

const step = fc.constantFrom(
  "a",
  "b",
  "out",
  "..",
  ".",
  "",
  ".git",
  ".GIT",
  "git~1",
  "\u200c.git",
  "a\\b",
  "C:",
  "~",
  "con",
);
const path = fc.array(step, { minLength: 1, maxLength: 5 }).map((steps) => steps.join("/"));
const anyPath = fc.oneof(
  path,
  path.map((text) => `/${text}`),
  fc.string({ maxLength: 20 }),
);

/** A container whose archive holds what its twin made up. */
async function archiveOf(
  entries: readonly { name: string; type: "file" | "directory" | "symlink" | "link" | "fifo"; to: string }[],
): Promise<Pick<Containers, "read">> {
  const pack = tar.pack();
  for (const { name, type, to } of entries) {
    if (type === "file") pack.entry({ name, type }, "from inside");
    else pack.entry({ name, type, ...(type === "symlink" || type === "link" ? { linkname: to } : {}) });
  }
  pack.finalize();
  const bytes = await buffer(pack);
  return {
    read: async () =>
      (async function* () {
        yield bytes;
      })(),
  } as unknown as Pick<Containers, "read">;
}

test("whatever a twin packs into its outputs, only regular files below its own folder are kept, and the API gives no others", async () => {
  const type = fc.constantFrom("file", "file", "file", "directory", "symlink", "link", "fifo");
  const entry = fc.record({ name: anyPath.filter((name) => name !== ""), type, to: anyPath });
  const output = path.filter((text) => !posix.normalize(text).startsWith("..") && !posix.isAbsolute(text));
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { maxLength: 6 }), output, anyPath, async (entries, declared, asked) => {
      run = await mkdtemp(join(root, "run-"));
      await writeFile(join(run, "manifest.json"), "ours");
      const containers = (await archiveOf(entries as Parameters<typeof archiveOf>[0])) as Containers;
      const { files } = await keepOutputs(containers, "id", [declared], run);
      for (const file of files) {
        expect(await readFile(join(run, "outputs", file.path), "utf8")).toBe("from inside");
        expect(posix.normalize(file.path)).toBe(file.path);
        expect(file.path.startsWith("..") || posix.isAbsolute(file.path)).toBe(false);
      }
      const onDisk = (await readdir(run, { recursive: true, withFileTypes: true })).filter(
        (found) => !found.isDirectory(),
      );
      for (const found of onDisk) expect(found.isFile()).toBe(true);
      expect(await readdir(run)).toEqual(
        files.length > 0 ? ["manifest.json", "outputs"] : expect.arrayContaining(["manifest.json"]),
      );
      expect(await readFile(join(run, "manifest.json"), "utf8")).toBe("ours");
      const opened = await openOutput(run, asked);
      if (opened) {
        await opened.file.close();
        expect(files.map((file) => file.path)).toContain(asked);
      }
    }),
    { numRuns: 150 },
  );
});

test("a listing that is accepted names each place once, inside of the repository, and never .git", () => {
  const kind = fc.constantFrom<GitEntry["kind"]>("file", "file", "folder", "link");
  const entries = fc.array(
    fc.record({ path: anyPath, kind, executable: fc.boolean(), id: fc.constant("1"), bytes: fc.nat(10) }),
    { maxLength: 5 },
  );
  let accepted = 0;
  fc.assert(
    fc.property(entries, (listed) => {
      if (checkListing(listed as GitEntry[]).length > 0) return;
      accepted += 1;
      const paths = listed.map((entry) => entry.path);
      expect(new Set(paths).size).toBe(paths.length);
      for (const text of paths) {
        expect(posix.normalize(text)).toBe(text);
        expect(posix.resolve("/r", text).startsWith("/r/")).toBe(true);
        expect(text.split("/").some((name) => /^\.git$/i.test(name))).toBe(false);
      }
    }),
    { numRuns: 3_000 },
  );
  expect(accepted).toBeGreaterThan(20);
});

test("a safe name is one folder of its own, and projects never share one", () => {
  fc.assert(
    fc.property(anyPath, (name) => {
      if (isSafeName(name)) expect(posix.dirname(posix.join("/data/runs", name))).toBe("/data/runs");
    }),
    { numRuns: 2_000 },
  );
  const project = fc.array(fc.stringMatching(/^[A-Za-z0-9_.-]{1,6}$/), { minLength: 2, maxLength: 3 });
  fc.assert(
    fc.property(project, project, (a, b) => {
      const same = a.join("/") === b.join("/");
      expect(projectFolder(a.join("/")) === projectFolder(b.join("/"))).toBe(same);
      expect(projectFolder(a.join("/"))).not.toContain("/");
    }),
  );
});
