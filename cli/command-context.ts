import type { Command } from "commander";
import { ApiClient } from "./api/api-client.ts";
import type { CliIo } from "./cli-io.ts";
import { type CliConfig, readCliConfig } from "./config.ts";
import { type Paint, painter } from "./output/paint.ts";

export interface CommonOptions {
  as?: string;
  user?: string;
  json?: boolean;
}

/** What a command works with. */
export interface CommandContext {
  io: CliIo;
  paint: Paint;
  json: boolean;
  /** `--user`, `DTAAS_USER`, or the user of `--as`; read without asking the platform. */
  user: string | undefined;
  /** Reads the settings and gives a client. Errors: those of `readCliConfig`. */
  connect(): Promise<{ api: ApiClient; config: CliConfig }>;
  /** One JSON document, or text made by `text`. */
  print(value: unknown, text: () => string): void;
}

/** The options that every command has which asks the platform. */
export function withConnection(command: Command): Command {
  return command
    .option("--as <user>", "ask as this user of the platform on this machine")
    .option("--user <user>", "whose twins are meant")
    .option("--json", "print JSON");
}

export function commandContext(io: CliIo, options: CommonOptions): CommandContext {
  const json = options.json ?? false;
  return {
    io,
    paint: painter(io.colours && !json),
    json,
    user: options.user ?? (io.environment["DTAAS_USER"] || undefined) ?? options.as,
    connect: async () => {
      const config = await readCliConfig(options, io.environment, io.folder);
      const { url, token } = config;
      return { api: new ApiClient({ url, token, signal: io.interrupted }), config };
    },
    print: (value, text) => io.out(json ? `${JSON.stringify(value, undefined, 2)}\n` : text()),
  };
}
