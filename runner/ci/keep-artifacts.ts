import { createWriteStream } from "node:fs";
import { rename, rm, stat } from "node:fs/promises";
import { posix } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import tar, { type Extract } from "tar-stream";
import type { CiContainers } from "../engine/ci-containers.ts";
import { projectFolder } from "./job-script.ts";
import { type PathPattern, pathPattern } from "./match-paths.ts";

const maxFiles = 10_000;
const maxBytes = 200 * 1024 * 1024; // of all artifacts of one job
const maxDotenvBytes = 5 * 1024; // as in GitLab
const maxDotenvVariables = 150;

export interface KeptArtifacts {
  bytes?: number;
  files: number;
  /** What somebody who looks for them should know. */
  remarks: string[];
}

/**
 * Copies what matches out of an ended container into one tar, through the engine: regular files only, links and devices are left out. Nothing
 * that the job wrote is opened on this machine.
 */
export async function keepArtifacts(
  containers: CiContainers,
  id: string,
  { project, paths, exclude }: { project: string; paths: readonly string[]; exclude: readonly string[] },
  target: string,
): Promise<KeptArtifacts> {
  const remarks: string[] = [];
  const wanted = paths.flatMap((pattern) => {
    const read = pathPattern(pattern);
    if (!read) remarks.push(`${pattern}: leads out of the project's folder`);
    return read ? [{ pattern, ...read, found: 0 }] : [];
  });
  const left = exclude.flatMap((pattern) => pathPattern(pattern) ?? []);
  const out = tar.pack();
  const part = `${target}.part`;
  const writing = pipeline(out as unknown as Readable, createWriteStream(part, { mode: 0o600 }));
  writing.catch(() => undefined);
  const kept = new Set<string>();
  let bytes = 0;
  try {
    for (const root of rootsOf(wanted)) {
      const archive = await containers.download(id, posix.join(projectFolder(project), root));
      if (!archive) continue;
      const above = posix.dirname(posix.join(projectFolder(project), root));
      await eachFile(archive, async (name, size, entry) => {
        const path = posix.relative(projectFolder(project), posix.join(above, name));
        const fitting = wanted.filter((one) => one.matches(path));
        for (const one of fitting) one.found += 1;
        const isWanted = fitting.length > 0 && !left.some((one) => one.matches(path));
        if (!isWanted || path.startsWith("../") || kept.has(path)) return false;
        if (kept.size >= maxFiles || bytes + size > maxBytes) {
          throw new TooMuch(`artifacts are more than ${maxFiles} files or ${maxBytes / 1024 ** 2} MiB`);
        }
        kept.add(path);
        bytes += size;
        const { mode, mtime } = entry.header;
        const header = { name: path, size, mode: (mode ?? 0o644) & 0o777, ...(mtime ? { mtime } : {}) };
        await pipeline(entry, out.entry(header));
        return true;
      });
    }
    out.finalize();
    await writing;
  } catch (error) {
    out.destroy();
    await rm(part, { force: true });
    if (!(error instanceof TooMuch)) throw error;
    return { files: 0, remarks: [...remarks, `ERROR: ${error.message}; none are kept`] };
  }
  for (const { pattern, found } of wanted) if (found === 0) remarks.push(`${pattern}: no matching files`);
  if (kept.size === 0) {
    await rm(part, { force: true });
    return { files: 0, remarks };
  }
  await rename(part, target);
  return { bytes: (await stat(target)).size, files: kept.size, remarks };
}

class TooMuch extends Error {}

type Entry = Extract extends AsyncIterable<infer One> ? One : never;

/** Folders to look through: none that is within another one. */
function rootsOf(patterns: readonly PathPattern[]): string[] {
  const roots = [...new Set(patterns.map(({ root }) => root))].sort();
  return roots.filter(
    (root) => !roots.some((other) => other !== root && (other === "" || root.startsWith(`${other}/`))),
  );
}

/** What a job leaves for later ones: `KEY=value` lines. Lines that are none are told. */
export async function readDotenv(
  containers: CiContainers,
  id: string,
  { project, paths }: { project: string; paths: readonly string[] },
): Promise<{ variables: Record<string, string>; remarks: string[] }> {
  const variables: Record<string, string> = {};
  const remarks: string[] = [];
  for (const path of paths) {
    const isPlain = pathPattern(path) !== undefined && !/[*?[\]{}]/.test(path);
    const archive = isPlain
      ? await containers.download(id, posix.join(projectFolder(project), path))
      : undefined;
    let text: string | undefined;
    if (archive) {
      await eachFile(archive, async (_name, size, entry) => {
        if (text !== undefined || size > maxDotenvBytes) return false;
        const chunks: Buffer[] = [];
        for await (const chunk of entry) chunks.push(chunk as Buffer);
        text = Buffer.concat(chunks).toString("utf8");
        return true;
      });
    }
    if (text === undefined) remarks.push(`${path}: no dotenv file of at most ${maxDotenvBytes} bytes`);
    else parseDotenv(text, variables, remarks);
  }
  return { variables, remarks };
}

export function parseDotenv(text: string, variables: Record<string, string>, remarks: string[]): void {
  for (const line of text.split(/\r?\n/)) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const [, key, value = ""] = /^([A-Za-z_]\w*)=(.*)$/.exec(line) ?? [];
    if (key === undefined || key === "__proto__")
      remarks.push(`dotenv: ${JSON.stringify(line.slice(0, 100))} is no KEY=value`);
    else if (Object.keys(variables).length >= maxDotenvVariables) {
      remarks.push(`dotenv: more than ${maxDotenvVariables} variables`);
      return;
    } else variables[key] = value.replace(/^(["'])(.*)\1$/, "$2").replaceAll("\0", "");
  }
}

/** Goes through a tar; what `take` does not take is passed over. */
async function eachFile(
  archive: NodeJS.ReadableStream,
  take: (name: string, size: number, entry: Entry) => Promise<boolean>,
): Promise<void> {
  const entries = tar.extract();
  const source = Readable.from(archive as AsyncIterable<Uint8Array>);
  const reading = pipeline(source, entries);
  reading.catch(() => undefined);
  try {
    for await (const entry of entries) {
      const { header } = entry;
      const isFile = header.type === "file" || header.type === "contiguous-file";
      if (!isFile || !(await take(header.name, header.size ?? 0, entry))) entry.resume();
    }
    await reading;
  } finally {
    source.destroy();
  }
}
