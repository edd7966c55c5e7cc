import type { CliEnvironment } from "./config.ts";

/** What a command may touch of the process it runs in; tests give their own. */
export interface CliIo {
  out: (text: string) => void;
  err: (text: string) => void;
  /** Raw bytes on standard output. */
  bytes: (chunk: Uint8Array) => Promise<void>;
  /** Standard output is a terminal that shows colours. */
  colours: boolean;
  /** Standard error is a terminal, so that progress may be redrawn. */
  isTerminal: boolean;
  environment: CliEnvironment;
  folder: string;
  /** Aborts on Ctrl-C. */
  interrupted: AbortSignal;
}
