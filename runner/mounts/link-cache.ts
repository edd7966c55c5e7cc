import { linkSync, symlinkSync } from "node:fs";
import { isSystemError } from "#core/errors";

/**
 * Where symbolic links with a given target lie already. Giving such a link a further name costs a fiftieth of making it
 * anew, and no inode; most users and most generations have the same links. A link is never changed, so that sharing it
 * shares nothing that anybody could write.
 */
export class LinkCache {
  readonly #places = new Map<string, string>();

  /** There is one at this place. */
  note(target: string, place: string): void {
    this.#places.set(target, place);
  }

  /** A symbolic link to `target` at `place`, which must not be there. */
  make(target: string, place: string): void {
    if (!this.#shared(target, place)) symlinkSync(target, place);
    this.#places.set(target, place);
  }

  #shared(target: string, place: string): boolean {
    const known = this.#places.get(target);
    if (known === undefined) return false;
    try {
      linkSync(known, place);
      return true;
    } catch (error) {
      // Its generation has gone, it has all the names the file system allows, or it lies on another one.
      if (["ENOENT", "EMLINK", "EXDEV", "EPERM"].some((code) => isSystemError(error, code))) return false;
      throw error;
    }
  }
}
