export const zeroId = "0".repeat(40);

/** A full commit, tree or blob identifier. */
export function isObjectId(text: string): boolean {
  return /^[0-9a-f]{40}$/.test(text);
}

const maxRefBytes = 244; // with `refs/heads/` and `.lock` it must still fit a file name

/** True for what `git check-ref-format --branch` takes; never for a path out of the folder or an option. */
export function isBranchName(name: string): boolean {
  if (name === "" || Buffer.byteLength(name) > maxRefBytes || name === "@" || name === "HEAD") return false;
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused here
  if (/[\x00-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\/|\.$|^-|^\/|\/$/.test(name)) return false;
  return name.split("/").every((part) => !part.startsWith(".") && !part.endsWith(".lock"));
}
