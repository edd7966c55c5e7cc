import { spawn } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Files by path; a path in `lifecycle/` is executable. */
export type Files = Record<string, string>;

/**
 * Writes commits into one pack of a bare repository, each with these files and those of the commits before; the branch gets the
 * first. Resolves with their ids.
 */
export async function writeCommits(gitDir: string, commits: readonly Files[]): Promise<string[]> {
  const marks = join(gitDir, "bench-marks");
  const lines: Buffer[] = [];
  const text = (line: string) => lines.push(Buffer.from(line));
  for (const [index, files] of commits.entries()) {
    const identity = `Bench <bench@example.org> ${1_700_000_000 + index} +0000`;
    text(`commit refs/prepared/${index}\nmark :${index + 1}\ncommitter ${identity}\ndata 6\nchange\n`);
    if (index > 0) text(`from :${index}\n`);
    for (const [path, content] of Object.entries(files)) {
      const mode = path.includes("/lifecycle/") ? "100755" : "100644";
      text(`M ${mode} inline ${path}\ndata ${Buffer.byteLength(content)}\n${content}\n`);
    }
  }
  text("done\n");
  await new Promise<void>((resolve, reject) => {
    const args = ["fast-import", "--quiet", "--done", `--export-marks=${marks}`];
    const git = spawn("git", args, { cwd: gitDir, stdio: ["pipe", "ignore", "inherit"] });
    git.once("error", reject);
    git.once("close", (code) =>
      code === 0 ? resolve() : reject(new Error(`git fast-import ended with ${code}`)),
    );
    git.stdin.end(Buffer.concat(lines));
  });
  const ids = new Map(
    (await readFile(marks, "utf8")).split("\n").map((line) => line.split(" ") as [string, string]),
  );
  const found = commits.map((_, index) => ids.get(`:${index + 1}`) ?? "");
  await rm(join(gitDir, "refs", "prepared"), { recursive: true }); // nobody pushed them; the objects stay
  await mkdir(join(gitDir, "refs", "heads"), { recursive: true });
  await writeFile(join(gitDir, "refs", "heads", "main"), `${found[0]}\n`);
  return found;
}
