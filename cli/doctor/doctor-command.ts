import { join } from "node:path";
import { Command } from "commander";
import type { Finding } from "#embedded/machine/finding";
import { thisMachine } from "#embedded/machine/machine";
import { prepareMachine } from "#embedded/machine/prepare-machine";
import { readUpConfig, type UpOptions } from "../up/config.ts";
import { prepareTalk } from "../up/prepare-talk.ts";
import { Terminal } from "../up/terminal.ts";
import { reportProblem } from "../up/up-command.ts";
import { diagnose } from "./diagnose.ts";

interface DoctorOptions extends UpOptions {
  json?: boolean;
  fix?: boolean;
}

/** `dtaas doctor`: what the platform needs on this machine, what is missing, and the command that mends it. */
export function doctorCommand(): Command {
  return new Command("doctor")
    .description("look at what the platform needs on this machine; exit code 1 when something is missing")
    .option("--data <folder>", "the data folder to look at (default: DTAAS_DATA, else .dtaas here)")
    .option("--json", "print the findings as JSON")
    .option("--fix", "mend what is missing; an engine that is started stays up")
    .option("-y, --yes", "with --fix: install without asking")
    .action(runDoctor);
}

async function runDoctor(options: DoctorOptions): Promise<void> {
  try {
    const config = readUpConfig(options);
    const machine = thisMachine(config.environment, join(config.dataFolder, "engine"));
    if (options.fix) {
      const terminal = new Terminal(options.json ? process.stderr : process.stdout);
      const asks = !config.yes && Boolean(process.stdin.isTTY && process.stdout.isTTY);
      try {
        await prepareMachine(machine, prepareTalk(terminal, asks));
      } catch (error) {
        terminal.failed("");
        throw error;
      }
    }
    const findings = await diagnose(machine, config.dataFolder);
    process.stdout.write(
      options.json ? `${JSON.stringify({ findings: findings.map(plain) }, undefined, 2)}\n` : table(findings),
    );
    if (findings.some((finding) => finding.state === "missing")) process.exitCode = 1;
  } catch (error) {
    reportProblem(error);
  }
}

/** One line each; below a missing piece the command that mends it. */
export function table(findings: Finding[]): string {
  const lines = findings.flatMap((finding) => {
    const line = `  ${finding.state.padEnd(8)} ${finding.name.padEnd(11)} ${finding.detail}`;
    return finding.state === "ok" ? [line] : [line, `${" ".repeat(23)}mend it with: ${finding.command}`];
  });
  return `${lines.join("\n")}\n`;
}

function plain(finding: Finding): object {
  const { name, state, detail } = finding;
  return state === "ok" ? { name, state, detail } : { name, state, detail, command: finding.command };
}
