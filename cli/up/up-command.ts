import { Command } from "commander";
import { ActionNeededError } from "#core/errors";
import { readUpConfig, type UpOptions } from "./config.ts";
import { Terminal } from "./terminal.ts";
import { up } from "./up.ts";

const echoMs = 2_000; // npm hands a Ctrl-C on that the terminal has sent us already

/** `dtaas up`: the whole platform on this machine, until Ctrl-C. */
export function upCommand(): Command {
  return new Command("up")
    .description("prepare this machine, start the platform on it, and stay up until Ctrl-C")
    .option("--data <folder>", "everything the platform keeps (default: DTAAS_DATA, else .dtaas here)")
    .option(
      "--engine <name>",
      "docker, or process: twins as processes of this machine (default: what can be had)",
    )
    .option("-y, --yes", "install what is missing without asking")
    .action(runUp);
}

async function runUp(options: UpOptions): Promise<void> {
  const terminal = new Terminal(process.stdout);
  const stopping = new AbortController();
  let firstAt = 0;
  const onSignal = (): void => {
    if (!stopping.signal.aborted) {
      firstAt = Date.now();
      stopping.abort();
    } else if (Date.now() - firstAt > echoMs) {
      terminal.say("Already stopping; every process gets the time it needs to end well.");
    }
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  for (const name of signals) process.on(name, onSignal);
  try {
    await up(readUpConfig(options), terminal, stopping.signal);
  } catch (error) {
    reportProblem(error);
  } finally {
    for (const name of signals) process.off(name, onSignal);
  }
}

/** What is wrong and what mends it, without a stack trace; a fault of ours keeps its trace. */
export function reportProblem(error: unknown): void {
  process.exitCode = 1;
  if (!(error instanceof ActionNeededError)) throw error;
  process.stderr.write(`\nerror: ${error.message} [${error.code}]\n`);
  if (error.hint !== undefined)
    process.stderr.write(`mend it with:\n  ${error.hint.replaceAll("\n", "\n  ")}\n`);
}
