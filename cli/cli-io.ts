import type { CliEnvironment } from "./config.ts";

/** What a command may touch of the process it runs in; tests give their own. */
export interface CliIo {
  out: (text: string) => void;
  err: (text: string) => void;
  /** Raw bytes on standard output. */
  bytes: (chunk: Uint8Array) => Promise<void>;
  /**
   * What is piped into standard input, whole, or what is typed at a terminal, which does not show it. At most
   * `maxBytes`; more is `ActionNeededError("USAGE")`.
   */
  secret: (question: string, maxBytes: number) => Promise<Buffer>;
  /** Standard output is a terminal that shows colours. */
  colours: boolean;
  /** Standard error is a terminal, so that progress may be redrawn. */
  isTerminal: boolean;
  environment: CliEnvironment;
  folder: string;
  /** Aborts on Ctrl-C. */
  interrupted: AbortSignal;
}
