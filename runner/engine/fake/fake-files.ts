import { readdir, readFile } from "node:fs/promises";
import { basename, join, relative } from "node:path";
import { Readable } from "node:stream";
import { pack } from "tar-stream";
import type { FakeContainer } from "./fake-container.ts";
import type { FakeWorld } from "./fake-world.ts";

/** What the container sees below `path`: its own files over its layer over the snapshot. */
export async function readFiles(
  world: FakeWorld,
  container: FakeContainer,
  path: string,
): Promise<NodeJS.ReadableStream | undefined> {
  const layer = world.layers.get(container.spec.layer.id);
  const seen = new Map<string, string | Buffer>();
  if (layer) {
    for (const file of await filesBelow(layer.lowerFolder)) {
      seen.set(join("/workspace", relative(layer.lowerFolder, file)), await readFile(file));
    }
    for (const [file, content] of layer.files) seen.set(join("/workspace", file), content);
  }
  for (const [file, content] of container.files) seen.set(file, content);

  const wanted = [...seen].filter(([file]) => file === path || file.startsWith(`${path}/`));
  if (wanted.length === 0) return undefined;
  const archive = pack();
  for (const [file, content] of wanted)
    archive.entry({ name: join(basename(path), relative(path, file)) }, content);
  archive.finalize();
  return Readable.from(archive, { objectMode: false });
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}
