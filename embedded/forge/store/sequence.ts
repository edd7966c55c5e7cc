import { readTextIfThere, writeFileAtomic } from "#core/atomic-file";

const blockSize = 1_000; // numbers reserved with one write; a crash skips at most this many

/** Hands out numbers that are never given twice, also after a crash, with one disk write per block. */
export class Sequence {
  readonly #path: string;
  #next: number;
  #reserved: number;
  #reserving: Promise<void> | undefined;

  private constructor(path: string, next: number) {
    this.#path = path;
    this.#next = next;
    this.#reserved = next;
  }

  static async open(path: string): Promise<Sequence> {
    const text = await readTextIfThere(path);
    return new Sequence(path, text === undefined ? 1 : Number(text));
  }

  async next(): Promise<number> {
    while (this.#next >= this.#reserved) {
      this.#reserving ??= this.#reserve();
      await this.#reserving;
    }
    return this.#next++;
  }

  async #reserve(): Promise<void> {
    try {
      const reserved = this.#reserved + blockSize;
      await writeFileAtomic(this.#path, `${reserved}\n`);
      this.#reserved = reserved;
    } finally {
      this.#reserving = undefined;
    }
  }
}
