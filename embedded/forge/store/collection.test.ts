import { mkdtemp, readdir, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Collection } from "./collection.ts";
import { Sequence } from "./sequence.ts";

interface Thing {
  readonly id: number;
  name: string;
}

const newFolder = () => mkdtemp(join(tmpdir(), "collection-"));

test("records are the same after a restart, and a removed one does not come back", async () => {
  const folder = await newFolder();
  const things = await Collection.open<Thing>(folder);
  for (const name of ["a", "b", "c"]) await things.insert((id) => ({ id, name }));
  await things.update(1, { name: "A" });
  await things.remove(2);
  const again = await Collection.open<Thing>(folder);
  expect(again.all()).toEqual([
    { id: 1, name: "A" },
    { id: 3, name: "c" },
  ]);
});

test("an identifier is never given twice, also when the newest record was removed before a restart", async () => {
  const folder = await newFolder();
  const things = await Collection.open<Thing>(folder);
  for (const name of ["a", "b"]) await things.insert((id) => ({ id, name }));
  await things.remove(2);
  await things.remove(1);
  const again = await Collection.open<Thing>(folder);
  expect((await again.insert((id) => ({ id, name: "c" }))).id).toBe(3);
});

test("changes to one record at the same time end with the last one, in memory and on disk", async () => {
  const folder = await newFolder();
  const things = await Collection.open<Thing>(folder);
  const { id } = await things.insert((given) => ({ id: given, name: "a" }));
  await Promise.all(Array.from({ length: 20 }, (_, index) => things.update(id, { name: String(index) })));
  expect(things.get(id)?.name).toBe("19");
  expect((await Collection.open<Thing>(folder)).get(id)?.name).toBe("19");
});

test("an index follows changes and removals", async () => {
  const things = await Collection.open<Thing>(await newFolder());
  const byName = things.indexBy((thing) => thing.name);
  const { id } = await things.insert((given) => ({ id: given, name: "a" }));
  await things.update(id, { name: "b" });
  expect([byName.first("a"), byName.first("b")?.id]).toEqual([undefined, id]);
  await things.remove(id);
  expect(byName.all("b")).toEqual([]);
});

test("what a crash left half written is cleared away, and a damaged record is named", async () => {
  const folder = await newFolder();
  await writeFile(join(folder, "1.json.abc.tmp"), "{");
  await Collection.open<Thing>(folder);
  expect(await readdir(folder)).toEqual([]);
  await writeFile(join(folder, "1.json"), "{broken");
  await expect(Collection.open<Thing>(folder)).rejects.toMatchObject({
    code: "FORGE_STATE_UNREADABLE",
    where: { file: join(folder, "1.json") },
  });
});

test("a sequence goes on beyond what it gave before a crash", async () => {
  const path = join(await newFolder(), "next-id");
  const sequence = await Sequence.open(path);
  const given = await Promise.all(Array.from({ length: 1_500 }, () => sequence.next()));
  expect(new Set(given).size).toBe(1_500);
  const next = await (await Sequence.open(path)).next();
  expect(next).toBeGreaterThan(Math.max(...given));
});
