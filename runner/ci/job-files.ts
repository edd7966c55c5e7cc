import { createReadStream } from "node:fs";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import tar, { type Header } from "tar-stream";
import type { CiJobDocument } from "#schemas/generated/ci-job";
import type { CiContainers } from "../engine/ci-containers.ts";
import { ciFolder, jobScripts, projectFolder } from "./job-script.ts";

const owner = { uid: 1000, gid: 1000, uname: "", gname: "" }; // whoever runs the job

/** Gives a container that has not been started all that its job needs: files of the commit, artifacts, scripts, variables. */
export async function giveFiles(
  containers: CiContainers,
  id: string,
  job: CiJobDocument,
  { folder, extra }: { folder: string; extra: Readonly<Record<string, string>> },
): Promise<void> {
  await containers.upload(id, "/builds", scriptsOf(job, extra));
  const archives = [
    ...(job.hasSource ? ["source.tar"] : []),
    ...Array.from({ length: job.inputs }, (_, at) => `input-${at}.tar`),
  ];
  for (const name of archives) await uploadTree(containers, id, `${folder}/${name}`, job.project);
}

/** All of it belongs to whoever runs the job, and lies in the project's folder. */
async function uploadTree(
  containers: CiContainers,
  id: string,
  path: string,
  project: string,
): Promise<void> {
  const out = tar.pack();
  const entries = tar.extract();
  const copying = (async () => {
    for await (const entry of entries) {
      const { header } = entry;
      if (!["file", "directory", "symlink"].includes(header.type ?? "")) {
        entry.resume();
        continue;
      }
      await pipeline(entry, out.entry(inProject(header, project)));
    }
    out.finalize();
  })();
  copying.catch((error: Error) => out.destroy(error));
  const reading = pipeline(createReadStream(path), entries);
  reading.catch((error: Error) => out.destroy(error));
  await Promise.all([containers.upload(id, "/builds", out as unknown as Readable), copying, reading]);
}

function inProject(header: Header, project: string): Partial<Header> & { name: string } {
  const { type, size, mode, mtime, linkname } = header;
  return {
    name: `${project}/${header.name}`,
    ...(type ? { type } : {}),
    ...(size === undefined ? {} : { size: type === "file" ? size : 0 }),
    ...(mode === undefined ? {} : { mode: mode & 0o777 }),
    ...(mtime ? { mtime } : {}),
    ...(linkname ? { linkname } : {}),
    ...owner,
  };
}

function scriptsOf(job: CiJobDocument, extra: Readonly<Record<string, string>>): Readable {
  const { project, script, afterScript, variables } = job;
  const temporary = `${project}.tmp`;
  const values = variables.map(({ key, value, file }): [string, string] => [
    key,
    file ? `${projectFolder(project)}.tmp/${key}` : value,
  ]);
  const out = tar.pack();
  const folders = project.split("/").map((_, at, parts) => parts.slice(0, at + 1).join("/"));
  for (const name of [...folders, temporary, ciFolder])
    out.entry({ name, type: "directory", mode: 0o755, ...owner });
  const scripts = jobScripts({
    project,
    script,
    afterScript,
    variables: { ...Object.fromEntries(values), ...extra },
  });
  for (const [name, text] of Object.entries(scripts)) {
    out.entry({ name: `${ciFolder}/${name}`, mode: 0o700, ...owner }, text);
  }
  for (const { key, value } of variables.filter(({ file }) => file)) {
    out.entry({ name: `${temporary}/${key}`, mode: 0o600, ...owner }, value);
  }
  out.finalize();
  return out as unknown as Readable;
}
