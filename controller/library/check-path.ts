import { ActionNeededError } from "#core/errors";
import { nameFault } from "#schemas/tree/check-listing";
import { maxPathBytes } from "#schemas/tree/tree-limits";
import { isTwinName } from "#schemas/twin-name";
import { assetKinds, isAssetKind } from "./asset-kinds.ts";

/**
 * A path inside a repository, as it may be asked for; the root is the empty path. Throws
 * `ActionNeededError("PATH_REFUSED")` for what leads elsewhere or can be no name on disk.
 */
export function checkPath(path: string): string {
  if (path === "") return path;
  const refuse = (message: string) => refused(path, message, "Write it like models/tank/tank.fmu.");
  if (Buffer.from(path).toString() !== path) throw refuse("The path is no text");
  if (Buffer.byteLength(path) > maxPathBytes) throw refuse(`The path is longer than ${maxPathBytes} bytes`);
  for (const name of path.split("/")) {
    const fault = nameFault(name);
    if (fault !== undefined) throw refuse(fault);
  }
  return path;
}

/**
 * A path that the library may write: below the folder of a kind of assets. `PATH_REFUSED`, or `PATH_NOT_ASSET` for one
 * that lies elsewhere.
 */
export function checkAssetPath(path: string): string {
  checkPath(path);
  const [kind = "", name] = path.split("/");
  if (isAssetKind(kind) && name !== undefined) return path;
  throw new ActionNeededError("PATH_NOT_ASSET", `${JSON.stringify(path)} is no path of an asset`, {
    where: { file: path },
    hint: `Assets lie in ${assetKinds.join("/, ")}/; change other files with git.`,
  });
}

/** A new digital twin's folder must have a name that a twin may have. */
export function checkNewTwin(path: string, isThere: (folder: string) => boolean): void {
  const [kind, name = "", ...below] = path.split("/");
  if (kind !== "digital_twins" || below.length === 0 || isTwinName(name)) return;
  if (isThere(`digital_twins/${name}`)) return;
  throw new ActionNeededError(
    "TWIN_NAME_REFUSED",
    `A digital twin cannot be called ${JSON.stringify(name)}`,
    {
      where: { file: path },
      hint: "Use letters, digits, - and _, beginning with a letter, 39 characters at most.",
    },
  );
}

function refused(path: string, message: string, hint: string): ActionNeededError {
  return new ActionNeededError("PATH_REFUSED", `${JSON.stringify(path.slice(0, 200))}: ${message}`, {
    where: { file: path },
    hint,
  });
}
