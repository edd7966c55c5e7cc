import type { Images } from "../engine/engine.ts";

/**
 * Removes the images that nobody refers to and that are older than `minAgeMs`; one that a container still has stays.
 * Resolves to the hashes that went.
 */
export async function collectImages(
  images: Images,
  { keep, minAgeMs, nowMs }: { keep: ReadonlySet<string>; minAgeMs: number; nowMs: number },
): Promise<string[]> {
  const gone: string[] = [];
  for (const image of await images.list()) {
    if (keep.has(image.hash) || nowMs - Date.parse(image.createdAt) < minAgeMs) continue;
    await images.remove(image.hash);
    if ((await images.find(image.hash)) === undefined) gone.push(image.hash);
  }
  return gone;
}
