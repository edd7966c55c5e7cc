import type { AwaitedTwins } from "./await-twins.ts";

/** What a person wants to know once the platform is up. */
export function whereToLook(options: {
  apiUrl: string;
  forgeUrl: string;
  dataFolder: string;
  tokens: Record<string, string>;
  repositories: Record<string, string>;
  awaited: AwaitedTwins;
  seconds: number;
}): string {
  const { awaited, tokens } = options;
  const lines = ["", `The platform is up after ${options.seconds.toFixed(0)} s.`, ""];
  lines.push(`  API        ${options.apiUrl}/api/v1`);
  lines.push(`  Git        ${options.forgeUrl}`);
  lines.push(`  Logs       ${options.dataFolder}/logs`);
  const users = Object.keys(options.repositories).join(" or ");
  lines.push(
    "",
    `  With a browser: ${options.forgeUrl}/ for files and commits, ${options.apiUrl}/auth/login for the API.`,
  );
  lines.push(
    `  Sign in as ${users}; passwords: ${options.dataFolder}/secrets.json, accounts.<user>.password`,
  );
  lines.push("", "  Users (user name and token are the sign-in for git, the API and the command line)");
  for (const [user, gitUrl] of Object.entries(options.repositories)) {
    lines.push(`    git clone ${withCredentials(gitUrl, user, tokens[user] ?? "")}`);
  }
  lines.push("", "  Twins");
  for (const twin of [...awaited.settled, ...awaited.failed]) {
    lines.push(`    ${`${twin.user}/${twin.name}`.padEnd(28)} ${twin.phase}${reason(twin.reason)}`);
  }
  for (const { twin, phase, reason: why } of awaited.missing) {
    lines.push(
      `    ${twin.padEnd(28)} ${phase === "unknown" ? "not seen yet" : `still ${phase}`}${reason(why)}`,
    );
  }
  lines.push("", "  See them   npx dtaas twin list", "  Stop       Ctrl-C", "");
  return lines.join("\n");
}

function reason(text: string | null): string {
  return text === null || text === "" ? "" : `: ${text}`;
}

function withCredentials(gitUrl: string, user: string, token: string): string {
  const url = new URL(gitUrl);
  url.username = user;
  url.password = token;
  return url.href;
}
