import type { Git } from "../git/git.ts";

const keptMs = 10 * 60_000; // git may be upgraded while the forge runs

/** What `git upload-pack` says to a client that names no version: around the branch that `HEAD` leads to. */
export interface FirstLine {
  beforeHead: string;
  afterHead: string;
}

/**
 * What `git upload-pack` says of itself. It depends on git and on settings that are the same for every repository of the
 * forge, never on what is in one but for the name of its default branch, so git is asked now and then, and not by every client.
 */
export class Capabilities {
  readonly #ofVersion2: Kept<Buffer>;
  readonly #ofVersion0: Kept<FirstLine>;

  constructor(git: Git) {
    const ask = async (gitDir: string, environment: Record<string, string>) => {
      const args = ["upload-pack", "--stateless-rpc", "--advertise-refs", gitDir];
      const { code, stdout } = await git.run(gitDir, args, { environment });
      return code === 0 ? stdout : Buffer.alloc(0);
    };
    this.#ofVersion2 = new Kept(async (gitDir) => {
      const said = await ask(gitDir, { GIT_PROTOCOL: "version=2" });
      return said.toString("latin1", 0, 14) === "000eversion 2\n" ? said : undefined;
    });
    this.#ofVersion0 = new Kept(async (gitDir) => {
      const [, line = ""] = (await ask(gitDir, {})).toString("utf8").split(/\0|\n/, 2);
      const [, beforeHead, afterHead] = /^(.* symref=HEAD:)\S+( .*)$/.exec(line) ?? [];
      return beforeHead === undefined || afterHead === undefined ? undefined : { beforeHead, afterHead };
    });
  }

  /** The whole answer in protocol version 2; `undefined` where git does not speak it. */
  version2(gitDir: string): Promise<Buffer | undefined> {
    return this.#ofVersion2.get(gitDir);
  }

  /** What follows the first ref in the oldest protocol; `undefined` while only repositories without commits were asked. */
  version0(gitDir: string): Promise<FirstLine | undefined> {
    return this.#ofVersion0.get(gitDir);
  }
}

/** An answer that is asked for once in `keptMs`; no answer is not kept. */
class Kept<T> {
  readonly #ask: (gitDir: string) => Promise<T | undefined>;
  #asked: { atMs: number; said: Promise<T | undefined> } | undefined;

  constructor(ask: (gitDir: string) => Promise<T | undefined>) {
    this.#ask = ask;
  }

  async get(gitDir: string): Promise<T | undefined> {
    const nowMs = performance.now();
    if (this.#asked === undefined || nowMs - this.#asked.atMs > keptMs) {
      this.#asked = { atMs: nowMs, said: this.#ask(gitDir) };
    }
    const { said } = this.#asked;
    const answer = await said.catch(() => undefined);
    if (answer === undefined && this.#asked?.said === said) this.#asked = undefined;
    return answer;
  }
}
