/** What a look at one thing the platform needs has found. */
export type Finding = FoundGood | FoundMissing;

export interface FoundGood {
  name: string;
  state: "ok";
  /** One line: what is there. */
  detail: string;
}

export interface FoundMissing {
  name: string;
  state: "missing";
  /** One line: what is missing. */
  detail: string;
  /** The command that mends it, for a person to type. */
  command: string;
  /** Absent where only a person can mend it. */
  remedy?: Remedy;
}

/** How the platform mends it by itself: packages first, then what is to be done with them. */
export interface Remedy {
  packages: string[];
  /** Only needed when the first way of mending does not work; asked for together with the others. */
  perhaps?: string[];
  /** Throws `ActionNeededError` when it did not help. `onLine` gets what is going on. */
  mend(onLine: (line: string) => void): Promise<void>;
}
