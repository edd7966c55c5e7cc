import type { Finding } from "#embedded/machine/finding";
import { commandEnvironment, type Machine } from "#embedded/machine/machine";
import { runCommand } from "#embedded/processes/run-command";
import { probeBubblewrap } from "#runner/engine/process/bubblewrap";

const answerMs = 10_000;

/** What twins that are processes of this account find here. */
export interface ProcessFacts {
  isRoot: boolean;
  bubblewrap: { version: string } | { reason: string };
  /** May a user without rights make namespaces of their own? `undefined` where the system does not tell. */
  userNamespaces: boolean | undefined;
  python: string | undefined;
  pip: string | undefined;
}

/** Looks, and tries bubblewrap for real; changes nothing. */
export async function readProcessFacts(
  machine: Machine,
  readLimit: (path: string) => Promise<string | undefined>,
): Promise<ProcessFacts> {
  const ask = async (...words: [string, ...string[]]): Promise<string | undefined> => {
    const [command, ...args] = words;
    const environment = commandEnvironment(machine);
    const shown = await runCommand(command, args, { environment, deadlineMs: answerMs });
    return shown.code === 0 ? shown.stdout.trim() : undefined;
  };
  const limits = await Promise.all(
    ["kernel/unprivileged_userns_clone", "user/max_user_namespaces"].map((name) =>
      readLimit(`/proc/sys/${name}`),
    ),
  );
  const told = limits.filter((text) => text !== undefined);
  return {
    isRoot: machine.isRoot,
    bubblewrap: await probeBubblewrap(),
    userNamespaces: told.length === 0 ? undefined : told.every((text) => Number(text) > 0),
    python: await ask("python3", "--version"),
    pip: await ask("python3", "-m", "pip", "--version"),
  };
}

/** Pure. */
export function judgeProcesses(facts: ProcessFacts): Finding[] {
  return [sandbox(facts), namespaces(facts), python(facts), pip(facts)];
}

function install(facts: ProcessFacts, ...packages: string[]): string {
  return `${facts.isRoot ? "" : "sudo "}apt-get install -y ${packages.join(" ")}`;
}

function sandbox(facts: ProcessFacts): Finding {
  const name = "bubblewrap";
  if ("version" in facts.bubblewrap) {
    return { name, state: "ok", detail: `${facts.bubblewrap.version} works, tried for real` };
  }
  const means = "twins are plain processes of this account: they may read and end whatever it may";
  const command = install(facts, "bubblewrap", "util-linux");
  return { name, state: "doubtful", detail: facts.bubblewrap.reason, means, command };
}

function namespaces(facts: ProcessFacts): Finding {
  const name = "namespaces";
  if (facts.isRoot) return { name, state: "ok", detail: "root makes them" };
  if (facts.userNamespaces === undefined)
    return { name, state: "ok", detail: "the system does not limit them" };
  if (facts.userNamespaces) return { name, state: "ok", detail: "a user without rights may make them" };
  const means = "bubblewrap cannot keep twins apart from this machine";
  const command = "sudo sysctl user.max_user_namespaces=15000 kernel.unprivileged_userns_clone=1";
  return { name, state: "doubtful", detail: "a user without rights may not make them", means, command };
}

function python(facts: ProcessFacts): Finding {
  const name = "python";
  if (facts.python !== undefined) return { name, state: "ok", detail: facts.python };
  const means = "twins written in Python do not run, the examples among them";
  return {
    name,
    state: "doubtful",
    detail: "python3 is not installed",
    means,
    command: install(facts, "python3"),
  };
}

function pip(facts: ProcessFacts): Finding {
  const name = "pip";
  if (facts.pip !== undefined)
    return { name, state: "ok", detail: facts.pip.split(" from ")[0] ?? facts.pip };
  const means =
    "what twins name in workspace.packages.pip is installed by hand here, and without pip it cannot be";
  const command = install(facts, "python3-pip", "python3-venv");
  return { name, state: "doubtful", detail: "python3 has no pip", means, command };
}
