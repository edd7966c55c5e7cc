import { execFile } from "node:child_process";
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { packageRoot } from "#core/package-root";

const run = promisify(execFile);

/** A work tree of a user. */
export class Clone {
  readonly folder: string;
  readonly #user: string;

  constructor(folder: string, user: string) {
    this.folder = folder;
    this.#user = user;
  }

  /** Made by git as the user would; `password` is an access token of theirs. */
  static async of(repository: { url: string; user: string; password: string }): Promise<Clone> {
    const { user, password } = repository;
    const url = new URL(repository.url);
    url.username = user;
    url.password = password;
    const folder = await mkdtemp(join(tmpdir(), `dtaas-clone-${user}-`));
    await run("git", ["clone", "-q", url.href, folder]);
    return new Clone(folder, user);
  }

  async git(...words: string[]): Promise<string> {
    const identity = ["-c", `user.name=${this.#user}`, "-c", `user.email=${this.#user}@example.org`];
    const { stdout } = await run("git", [...identity, ...words], { cwd: this.folder });
    return stdout.trim();
  }

  async write(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
    const file = join(this.folder, path);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content);
    await chmod(file, mode);
  }

  async read(path: string): Promise<string> {
    return await readFile(join(this.folder, path), "utf8");
  }

  async copyTwin(from: string, name: string): Promise<void> {
    await cp(join(packageRoot, "examples", from), join(this.folder, "digital_twins", name), {
      recursive: true,
    });
  }

  async remove(path: string): Promise<void> {
    await rm(join(this.folder, path), { recursive: true });
  }

  /** Commits everything and pushes; the new head. */
  async push(message: string): Promise<string> {
    await this.git("add", "-A");
    await this.git("commit", "-q", "-m", message);
    await this.git("push", "-q", "origin", "HEAD:main");
    return await this.git("rev-parse", "HEAD");
  }
}
