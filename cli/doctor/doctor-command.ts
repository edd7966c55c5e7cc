import { join } from "node:path";
import { Command } from "commander";
import type { Finding } from "#embedded/machine/finding";
import { type Machine, thisMachine } from "#embedded/machine/machine";
import { readUpConfig, type UpConfig, type UpOptions } from "../up/config.ts";
import { folderHolder, lockFolder } from "../up/folder-lock.ts";
import { endLeftovers } from "../up/leftovers.ts";
import { prepareEngine } from "../up/prepare-engine.ts";
import { prepareTalk } from "../up/prepare-talk.ts";
import { seededUsers } from "../up/process-twins.ts";
import { exampleUsers } from "../up/seed.ts";
import { Terminal } from "../up/terminal.ts";
import { reportProblem } from "../up/up-command.ts";
import { type Diagnosis, diagnose } from "./diagnose.ts";

interface DoctorOptions extends UpOptions {
  json?: boolean;
  fix?: boolean;
}

/** `dtaas doctor`: what the platform needs on this machine, what is missing, and the command that mends it. */
export function doctorCommand(): Command {
  return new Command("doctor")
    .description("look at what the platform needs on this machine; exit code 1 when something is missing")
    .option("--data <folder>", "the data folder to look at (default: DTAAS_DATA, else .dtaas here)")
    .option("--engine <name>", "look at what this engine needs: docker or process (default: what can be had)")
    .option("--json", "print the findings as JSON")
    .option("--fix", "mend what is missing; an engine that is started stays up")
    .option("-y, --yes", "with --fix: install without asking")
    .action(runDoctor);
}

async function runDoctor(options: DoctorOptions): Promise<void> {
  try {
    const config = readUpConfig(options);
    const machine = thisMachine(config.environment, join(config.dataFolder, "engine"));
    if (options.fix) await fix(config, machine, new Terminal(options.json ? process.stderr : process.stdout));
    const diagnosis = await diagnose(config, machine);
    process.stdout.write(options.json ? json(diagnosis) : table(diagnosis.findings));
    if (diagnosis.findings.some((finding) => finding.state === "missing")) process.exitCode = 1;
  } catch (error) {
    reportProblem(error);
  }
}

/** What `dtaas up` would do before it starts anything, and what a killed one has left. */
async function fix(config: UpConfig, machine: Machine, terminal: Terminal): Promise<void> {
  const asks = !config.yes && Boolean(process.stdin.isTTY && process.stdout.isTTY);
  const talk = {
    ...prepareTalk(terminal, asks),
    say: (text: string) => terminal.say(text),
    failed: (detail: string) => terminal.failed(detail),
  };
  const [firstUser] = exampleUsers;
  const isOneUsers = async () => (await seededUsers(config.dataFolder)).every((name) => name === firstUser);
  try {
    await prepareEngine(config, machine, talk, isOneUsers);
  } catch (error) {
    terminal.failed("");
    throw error;
  }
  if ((await folderHolder(config.dataFolder)) !== undefined) return;
  const lock = await lockFolder(config.dataFolder);
  try {
    for (const name of await endLeftovers(config.dataFolder))
      terminal.say(`A ${name} left behind was stopped.`);
  } finally {
    await lock.release();
  }
}

/** One line each; below it what follows from it and, for what is not good, the command that mends it. */
export function table(findings: readonly Finding[]): string {
  const widest = Math.max(...findings.map(({ name }) => name.length));
  const indent = " ".repeat(widest + 12);
  const lines = findings.flatMap((finding) => {
    const line = `  ${finding.state.padEnd(8)} ${finding.name.padEnd(widest)} ${finding.detail}`;
    if (finding.state === "ok") return [line];
    const means = finding.means === undefined ? [] : [`${indent}${finding.means}`];
    return [line, ...means, `${indent}mend it with: ${finding.command}`];
  });
  return `${lines.join("\n")}\n`;
}

/** `{engine, findings: [{name, state, detail, means?, command?}]}` */
export function json({ engine, findings }: Diagnosis): string {
  const plain = findings.map(({ name, state, detail, means, ...rest }) => ({
    name,
    state,
    detail,
    ...(means === undefined ? {} : { means }),
    ...("command" in rest ? { command: rest.command } : {}),
  }));
  return `${JSON.stringify({ engine, findings: plain }, undefined, 2)}\n`;
}
