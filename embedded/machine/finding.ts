/** What a look at one thing the platform needs has found. */
export type Finding = FoundGood | FoundDoubtful | FoundMissing;

interface Found {
  name: string;
  /** One line: what is there, or what is missing. */
  detail: string;
  /** One line: what follows from it for the platform and its twins. */
  means?: string;
}

export interface FoundGood extends Found {
  state: "ok";
}

/** The platform starts all the same, with less than it could have. */
export interface FoundDoubtful extends Found {
  state: "doubtful";
  /** The command that mends it, for a person to type. */
  command: string;
}

/** The platform cannot start, or not do its work. */
export interface FoundMissing extends Found {
  state: "missing";
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
