import { setTimeout as delay } from "node:timers/promises";
import { ActionNeededError } from "#core/errors";
import { type CommandResult, runCommand } from "../processes/run-command.ts";

const installDeadlineMs = 15 * 60_000; // a slow line and 100 MB
const lockWaitMs = 120_000; // somebody else's apt run usually ends within a minute
const settingsDeadlineMs = 20_000;

/** A place that apt gets packages from, as this machine has it configured. */
export interface AptSource {
  uri: string;
  suite: string;
  component: string;
}

/** The command that a person would type for the same. */
export function installCommand(packages: string[], isRoot: boolean): string {
  return `${isRoot ? "" : "sudo "}apt-get install -y --no-install-recommends ${packages.join(" ")}`;
}

/**
 * Installs packages of the distribution without asking anything. Lists that are empty or stale are fetched anew; somebody else's run
 * of apt is waited for. `ActionNeededError("APT_FAILED")` says what apt said.
 */
export async function aptInstall(
  packages: string[],
  options: { environment: Record<string, string>; onLine: (line: string) => void },
): Promise<void> {
  const apt = aptGet(options);
  const install = [
    "-y",
    "-oDpkg::Options::=--force-confold",
    "--no-install-recommends",
    "install",
    ...packages,
  ];
  let result = await apt(install);
  if (result.code !== 0) {
    const updated = await update(apt);
    result = await apt(install);
    if (result.code !== 0) result.lines.unshift(...updated.lines);
  }
  if (result.code === 0) return;
  throw new ActionNeededError(
    "APT_FAILED",
    `apt-get could not install ${packages.join(", ")}: ${aptReason(result.lines)}`,
    {
      hint: `apt-get update && ${installCommand(packages, true)}`,
    },
  );
}

type Apt = (args: string[]) => Promise<CommandResult>;

function aptGet(options: { environment: Record<string, string>; onLine: (line: string) => void }): Apt {
  const environment = { ...options.environment, DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" };
  const always = [`-oDPkg::Lock::Timeout=${lockWaitMs / 1000}`, "-oDpkg::Use-Pty=0", "-q"];
  return (args) =>
    runCommand("apt-get", [...always, ...args], {
      environment,
      deadlineMs: installDeadlineMs,
      onLine: options.onLine,
    });
}

/** The lock of the lists is not waited for by apt itself. */
async function update(apt: Apt): Promise<CommandResult> {
  const deadline = Date.now() + lockWaitMs;
  for (;;) {
    const result = await apt(["update"]);
    const locked = result.lines.some((line) => /Could not get lock/.test(line));
    if (!locked || Date.now() > deadline) return result;
    await delay(2_000);
  }
}

/** What apt said was wrong: its own error lines, else its last one. */
export function aptReason(lines: string[]): string {
  const errors = lines.filter((line) => line.startsWith("E: ")).map((line) => line.slice(3));
  const words = errors.length > 0 ? [...new Set(errors)].slice(0, 3) : lines.slice(-1);
  return words.join("; ") || "it said nothing";
}

/** Every source of binary packages that this machine's apt is configured with; its lists are fetched where there are none. */
export async function aptSources(environment: Record<string, string>): Promise<AptSource[]> {
  const sources = await indexTargets(environment);
  if (sources.length > 0) return sources;
  await update(aptGet({ environment, onLine: () => {} })); // apt names only sources whose lists it has
  return indexTargets(environment);
}

async function indexTargets(environment: Record<string, string>): Promise<AptSource[]> {
  const format = "$(REPO_URI)|$(RELEASE)|$(COMPONENT)";
  const result = await runCommand("apt-get", ["indextargets", "--format", format, "Created-By: Packages"], {
    environment: { ...environment, LC_ALL: "C" },
    deadlineMs: settingsDeadlineMs,
  });
  return parseAptSources(result.stdout);
}

export function parseAptSources(text: string): AptSource[] {
  const sources = new Map<string, AptSource>();
  for (const line of text.split("\n")) {
    const [uri, suite, component] = line.trim().split("|");
    if (uri && suite && component) sources.set(line, { uri: uri.replace(/\/$/, ""), suite, component });
  }
  return [...sources.values()];
}

/** apt's own proxy settings in the form that other programs read from their environment. */
export async function aptProxies(environment: Record<string, string>): Promise<Record<string, string>> {
  const result = await runCommand("apt-config", ["dump"], {
    environment: { ...environment, LC_ALL: "C" },
    deadlineMs: settingsDeadlineMs,
  });
  return parseAptProxies(result.stdout);
}

export function parseAptProxies(text: string): Record<string, string> {
  const proxies: Record<string, string> = {};
  const direct: string[] = [];
  for (const line of text.split("\n")) {
    const match = /^Acquire::(https?)::Proxy(?:::([^ ]+))? "([^"]*)";/i.exec(line.trim());
    if (match === null) continue;
    const [, scheme = "", host, value = ""] = match;
    if (host !== undefined && value.toUpperCase() === "DIRECT") direct.push(host);
    else if (host === undefined && value !== "" && value.toUpperCase() !== "DIRECT") {
      proxies[`${scheme.toLowerCase()}_proxy`] = value;
    }
  }
  if (direct.length > 0) proxies["no_proxy"] = direct.join(",");
  return proxies;
}

/** The mirror to make a base image of `suite` from: one that has its main component and that debootstrap can read. */
export function chooseMirror(sources: AptSource[], suite: string): AptSource | undefined {
  const readable = sources.filter(
    (source) => /^(https?|file|copy):/.test(source.uri) && source.component === "main",
  );
  return (
    readable.find((source) => source.suite === suite) ??
    // Another release of Debian on the machine: its mirror has this one as well, its security mirror has not.
    readable.find((source) => /\/debian$/.test(source.uri))
  );
}
