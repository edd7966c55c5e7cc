import { createReadStream } from "node:fs";
import { posix } from "node:path";
import { extract } from "tar-stream";
import { isSystemError } from "#core/errors";

export interface ArtifactFile {
  path: string;
  bytes: number;
  content: AsyncIterable<Buffer>;
}

/** The files in an archive of artifacts, one after another; none where there is no archive. Each content must be read or left whole. */
export async function* artifactFiles(archive: string): AsyncGenerator<ArtifactFile> {
  const source = createReadStream(archive);
  const entries = extract();
  source.on("error", (error) => entries.destroy(error));
  source.pipe(entries);
  try {
    for await (const entry of entries) {
      const path = posix.normalize(entry.header.name);
      if (entry.header.type !== "file" || path.startsWith("../") || posix.isAbsolute(path)) {
        entry.resume();
        continue;
      }
      yield { path, bytes: entry.header.size ?? 0, content: entry as AsyncIterable<Buffer> };
      entry.resume();
    }
  } catch (error) {
    if (!isSystemError(error, "ENOENT")) throw error;
  } finally {
    source.destroy();
  }
}

/** One file of an archive, if it is there and not larger than that. */
export async function readArtifact(
  archive: string,
  path: string,
  maxBytes: number,
): Promise<Buffer | undefined> {
  const wanted = posix.normalize(path);
  for await (const file of artifactFiles(archive)) {
    if (file.path !== wanted) continue;
    if (file.bytes > maxBytes) return undefined;
    const chunks: Buffer[] = [];
    for await (const chunk of file.content) chunks.push(chunk);
    return Buffer.concat(chunks);
  }
  return undefined;
}
