import { existsSync, realpathSync, statSync } from "node:fs";
import { basename, dirname, relative, resolve, sep } from "node:path";
import { ActionNeededError } from "#core/errors";

/** The repository that a path belongs to, and the part of it that is meant. */
export interface MeantRepository {
  root: string;
  /** Only findings in this file or folder of the repository; `""`: in all of it. */
  part: string;
}

/**
 * A repository's folder, a twin's folder in it, or one of its documents. Errors: `PATH_NOT_FOUND`.
 */
export function findRepository(path: string, folder: string): MeantRepository {
  const given = resolve(folder, path);
  if (!existsSync(given)) {
    throw new ActionNeededError("PATH_NOT_FOUND", `there is nothing at ${path}`, {
      hint: "give the folder of a repository, or a dt.yaml",
    });
  }
  const real = realpathSync(given);
  const start = statSync(real).isDirectory() ? real : dirname(real);
  for (let at = start; dirname(at) !== at; at = dirname(at)) {
    if (basename(dirname(at)) === "digital_twins") {
      const root = dirname(dirname(at));
      return { root, part: inside(root, real) };
    }
  }
  if (basename(start) === "digital_twins")
    return { root: dirname(start), part: inside(dirname(start), real) };
  return { root: start, part: inside(start, real) };
}

function inside(root: string, path: string): string {
  return relative(root, path).split(sep).join("/");
}

/** Is a file of the repository within the part that is meant? */
export function isMeant(file: string, part: string): boolean {
  return part === "" || file === part || file.startsWith(`${part}/`);
}
