import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

const keptLines = 200; // enough of a failing command to find the reason in

export interface CommandResult {
  /** 127 when there is no such command, 128 + signal number is not used: a signal counts as 1. */
  code: number;
  stdout: string;
  /** The last lines of both streams, as they came. */
  lines: string[];
}

export interface CommandOptions {
  /** The whole environment of the command; nothing is inherited. */
  environment: Record<string, string>;
  deadlineMs: number;
  onLine?: (line: string) => void;
}

/** Runs a command to its end without a shell. Never throws: what went wrong is in `code` and `lines`. */
export function runCommand(command: string, args: string[], options: CommandOptions): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { env: options.environment, stdio: ["ignore", "pipe", "pipe"] });
    const lines: string[] = [];
    let stdout = "";
    const keep = (line: string): void => {
      lines.push(line);
      if (lines.length > keptLines) lines.shift();
      options.onLine?.(line);
    };
    createInterface({ input: child.stdout }).on("line", (line) => {
      stdout += `${line}\n`;
      keep(line);
    });
    createInterface({ input: child.stderr }).on("line", keep);
    const timer = setTimeout(() => {
      keep(`${command} took longer than ${Math.round(options.deadlineMs / 1000)} s and was ended`);
      child.kill("SIGKILL");
    }, options.deadlineMs);
    child.once("error", (error: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      keep(error.message);
      resolve({ code: error.code === "ENOENT" ? 127 : 1, stdout, lines });
    });
    child.once("close", (code) => {
      clearTimeout(timer);
      resolve({ code: code ?? 1, stdout, lines });
    });
  });
}
