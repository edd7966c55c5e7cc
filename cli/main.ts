#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "#core/package-root";
import type { CliIo } from "./cli-io.ts";
import { processEnvironment } from "./config.ts";
import { doctorCommand } from "./doctor/doctor-command.ts";
import { runCli } from "./run-cli.ts";
import { readSecret } from "./secret/read-secret.ts";
import { upCommand } from "./up/up-command.ts";

const environment = processEnvironment();
const interrupted = new AbortController();
const runsMachine = ["up", "doctor"].includes(process.argv[2] ?? ""); // they end in their own way
if (!runsMachine) process.once("SIGINT", () => interrupted.abort());
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0); // whoever reads us, such as `head`, has seen enough
});

const io: CliIo = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  bytes: async (chunk) => {
    if (!process.stdout.write(chunk)) await new Promise((resolve) => process.stdout.once("drain", resolve));
  },
  secret: (question, maxBytes) => readSecret(process.stdin, process.stderr, { question, maxBytes }),
  colours: process.stdout.isTTY === true && !environment["NO_COLOR"],
  isTerminal: process.stderr.isTTY === true,
  environment,
  folder: process.cwd(),
  interrupted: interrupted.signal,
};
const { version } = JSON.parse(readFileSync(join(packageRoot, "package.json"), "utf8")) as {
  version: string;
};
const exitCode = await runCli(process.argv.slice(2), io, [upCommand(), doctorCommand()], version);
process.exitCode ||= exitCode;
