/** A process that is up. */
export interface Running {
  /** Resolves with one sentence once it has ended, for whatever reason. */
  exited: Promise<string>;
  /** Ends it politely, then by force. A text that it resolves to is said. */
  stop(): Promise<unknown>;
}
