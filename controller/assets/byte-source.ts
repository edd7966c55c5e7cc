import { GitFailed } from "./run-git.ts";

/** Cuts a byte stream into lines and pieces of known length. */
export class ByteSource {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(stream: AsyncIterable<Buffer>) {
    this.#chunks = stream[Symbol.asyncIterator]();
  }

  async line(): Promise<string> {
    let text = "";
    for (;;) {
      const end = this.#rest.indexOf(10);
      if (end >= 0) {
        text += this.#rest.toString("latin1", 0, end);
        this.#rest = this.#rest.subarray(end + 1);
        return text;
      }
      text += this.#rest.toString("latin1");
      await this.#more();
    }
  }

  async collect(bytes: number): Promise<Buffer[]> {
    const pieces: Buffer[] = [];
    await this.forward(bytes, async (piece) => void pieces.push(piece));
    return pieces;
  }

  async forward(bytes: number, take: (piece: Buffer) => Promise<void>): Promise<void> {
    let left = bytes;
    while (left > 0) {
      if (this.#rest.length === 0) await this.#more();
      const piece = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(piece.length);
      left -= piece.length;
      await take(piece);
    }
  }

  async #more(): Promise<void> {
    const next = await this.#chunks.next();
    if (next.done) throw new GitFailed("git ended before it had sent everything", "exit");
    this.#rest = next.value;
  }
}
