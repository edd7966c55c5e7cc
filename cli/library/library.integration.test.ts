import { execFile } from "node:child_process";
import { chmod, mkdir, readFile, readlink, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { LibraryWorld } from "#controller/library/testing/library-world";
import { runDtaas } from "../../test/fixtures/run-dtaas.ts";

const run = promisify(execFile);
const binary = Buffer.from(Uint8Array.from({ length: 2048 }, (_, n) => (n * 13) % 256));
let world: LibraryWorld;
let folder: string;

beforeAll(async () => {
  world = await LibraryWorld.start();
  folder = await world.folder("cli");
});
afterAll(async () => await world.end());

const dtaas = (who: string, ...words: string[]) =>
  runDtaas(["library", ...words], {
    folder,
    environment: { DTAAS_URL: world.url, DTAAS_TOKEN: `glpat-${who}` },
  });

test("a folder goes up in one commit and comes down the same, executable bits and odd bytes included", async () => {
  const pump = join(folder, "pump");
  await mkdir(join(pump, "lifecycle"), { recursive: true });
  await writeFile(join(pump, "README.md"), "# Pumpe\n\nFördert Wasser.\n");
  await writeFile(join(pump, "größe.fmu"), binary);
  await writeFile(join(pump, "lifecycle/execute"), "#!/bin/sh\n");
  await chmod(join(pump, "lifecycle/execute"), 0o755);

  const up = await dtaas("ada", "upload", "pump", "digital_twins/", "--message", "Add a pump");
  expect(up).toMatchObject({ code: 0, out: expect.stringMatching(/committed \w{8} to dtaas\/ada: 3 files/) });
  expect((await world.inGit("dtaas/ada", "ada")).log).toEqual(["Ada <ada@example.org>: Add a pump"]);
  const again = await dtaas("ada", "upload", "pump", "digital_twins/");
  expect(again.out).toBe("everything was so already; nothing was committed\n");

  const down = await dtaas("ada", "download", "ada/digital_twins/pump", "--to", "copy");
  expect(down).toMatchObject({ code: 0, err: "" });
  await run("diff", ["-r", pump, join(folder, "copy")]);
  expect((await stat(join(folder, "copy/lifecycle/execute"))).mode & 0o100).toBe(0o100);
  expect((await stat(join(folder, "copy/README.md"))).mode & 0o100).toBe(0);
  const twice = await dtaas("ada", "download", "ada/digital_twins/pump", "--to", "copy");
  expect(twice).toMatchObject({ code: 2, err: expect.stringContaining("is there already") });
});

test("lists, searches and reads", async () => {
  expect((await dtaas("ada", "list")).out).toMatch(/dtaas\/ada +user +\w{8}\n/);
  expect((await dtaas("ada", "list", "dtaas/ada")).out).toMatch(
    /digital_twins\/pump +3 +\d+ +Pumpe: Fördert Wasser\./,
  );
  expect((await dtaas("ada", "list", "digital_twins/pump")).out).toMatch(/lifecycle\/.*folder/);
  expect((await dtaas("ada", "search", "ford")).out).toContain("dtaas/ada/digital_twins/pump");
  expect((await dtaas("ada", "search", "nowhere")).out).toBe("nothing was found\n");
  expect((await dtaas("bob", "search", "ford")).out).toBe("nothing was found\n");
  expect((await dtaas("ada", "read", "digital_twins/pump/README.md")).out).toContain("Fördert");
});

test("moves, copies and deletes; a file that is there is replaced only when that is said", async () => {
  expect((await dtaas("ada", "copy", "digital_twins/pump", "digital_twins/spare")).code).toBe(0);
  expect((await dtaas("ada", "move", "digital_twins/spare", "digital_twins/pump-2")).code).toBe(0);
  const { files } = await world.inGit("dtaas/ada", "ada");
  expect(files.get("digital_twins/pump-2/größe.fmu")?.content.equals(binary)).toBe(true);
  expect(files.get("digital_twins/pump-2/lifecycle/execute")?.mode).toBe("100755");

  await writeFile(join(folder, "note.txt"), "new\n");
  expect((await dtaas("ada", "upload", "note.txt", "data/note.txt")).code).toBe(0);
  await writeFile(join(folder, "note.txt"), "newer\n");
  const refused = await dtaas("ada", "upload", "note.txt", "data/note.txt");
  expect(refused).toMatchObject({ code: 1, err: expect.stringMatching(/data\/note\.txt.*FILE_EXISTS/s) });
  expect((await dtaas("ada", "upload", "note.txt", "data/note.txt", "--replace")).code).toBe(0);
  expect((await dtaas("ada", "read", "data/note.txt")).out).toBe("newer\n");

  expect((await dtaas("ada", "delete", "digital_twins/pump-2")).out).toContain("3 files");
  expect((await dtaas("ada", "read", "digital_twins/pump-2/README.md")).code).toBe(5);
  expect((await dtaas("ada", "upload", "note.txt", "common/data/note.txt")).code).toBe(4);
  expect((await dtaas("ada", "move", "digital_twins/pump", "common/models/x")).code).toBe(2);
});

test("a link inside of a folder comes down as a link, an archive is kept as it is", async () => {
  const clone = await world.clone("dtaas/ada", "ada");
  await mkdir(join(clone, "models/linked"), { recursive: true });
  await writeFile(join(clone, "models/linked/a.txt"), "a");
  await symlink("a.txt", join(clone, "models/linked/b.txt"));
  await mkdir(join(clone, "models/leaving"), { recursive: true });
  await symlink("../linked/a.txt", join(clone, "models/leaving/out.txt"));
  await world.git(clone, "add", "-A");
  await world.git(clone, "commit", "-q", "-m", "links");
  await world.git(clone, "push", "-q", "origin", "HEAD:main");
  await dtaas("ada", "upload", "note.txt", "data/other.txt"); // what is written is read at once
  expect((await dtaas("ada", "download", "models/linked")).code).toBe(0);
  expect(await readlink(join(folder, "linked/b.txt"))).toBe("a.txt");
  expect(await readFile(join(folder, "linked/b.txt"), "utf8")).toBe("a");
  const leaving = await dtaas("ada", "download", "models/leaving");
  expect(leaving).toMatchObject({ code: 1, err: expect.stringContaining("LINK_LEAVES_FOLDER") });
  expect((await dtaas("ada", "download", "models/linked", "--format", "zip")).code).toBe(0);
  const { stdout } = await run("python3", ["-m", "zipfile", "-l", join(folder, "linked.zip")]);
  expect(stdout).toContain("linked/a.txt");
});
