/** What the exit code of `dtaas` means; docs/cli.md lists them. */
export const exitCodes = {
  done: 0,
  /** Problems were found, or what was asked did not work out. */
  failed: 1,
  usage: 2,
  /** The platform cannot be reached, or says to try later. */
  tryLater: 3,
  /** No token, a bad one, or not allowed. */
  refused: 4,
  notFound: 5,
  /** `run --follow`: it took too long, or ended without an exit code of its own. */
  timedOut: 124,
  noExitCode: 125,
  interrupted: 130,
} as const;

const refused = [
  "TOKEN_MISSING",
  "TOKEN_REFUSED",
  "CI_TOKEN_REFUSED",
  "NOT_ALLOWED",
  "FORGE_TOKEN_REFUSED",
  "FORGE_FORBIDDEN",
];

/** The exit code for an error with this code. */
export function exitCodeOf(code: string): number {
  if (refused.includes(code)) return exitCodes.refused;
  if (code.endsWith("NOT_FOUND")) return exitCodes.notFound;
  if (code === "USAGE" || code === "BAD_REQUEST") return exitCodes.usage;
  if (code === "API_UNREACHABLE" || code === "NOT_CONFIGURED") return exitCodes.tryLater;
  return exitCodes.failed;
}
