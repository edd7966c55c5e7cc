/**
 * The command with some of the files in `$DT_SECRETS` as environment variables of the same name. They are read by a
 * shell that the command then takes the place of: what is in them stands in no configuration of the engine, no process
 * list and no file beside the mounted ones.
 */
export function withEnvironmentFiles(command: readonly string[], names: readonly string[] = []): string[] {
  if (names.length === 0) return [...command];
  const reads = names.map((name) => {
    if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) throw new Error(`${JSON.stringify(name)} is no variable`);
    // The dot keeps line ends at the end of the value, which the shell would cut off.
    return `${name}=$(cat "$DT_SECRETS/${name}" && echo .) || exit 126\n${name}=\${${name}%.}\nexport ${name}`;
  });
  return ["/bin/sh", "-c", `${reads.join("\n")}\nexec "$@"`, "sh", ...command];
}
