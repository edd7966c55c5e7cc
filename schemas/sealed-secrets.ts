/** The plain text inside a sealed secret. Whoever opens it holds every field against where it was found. */
export interface SecretEnvelope {
  version: 1;
  /** Full path of the project on the Git host, such as `dtaas/user1`. */
  project: string;
  /** The one twin it is for; `null`: any twin of the project. */
  twin: string | null;
  name: string;
  /** ISO 8601; refused from then on. */
  expiresAt: string;
  /** `file`: as an environment variable, the path of the file is given. */
  kind: "variable" | "file";
  /** Base64. */
  value: string;
}

/** One secret of a twin, encrypted to the runner. What stands beside the text is a note for the controller alone. */
export interface SealedSecret {
  name: string;
  /** A CI/CD variable that the controller has sealed, or a file of the repository, sealed by whoever pushed it. */
  origin: "variable" | "file";
  /** Keyed hash of the value (`variable`), content hash of the sealed file (`file`), hex. */
  version: string;
  /** Of `variable`: the public key it was sealed to, and when it has to be sealed anew. */
  recipient?: string;
  expiresAt?: string;
  /** The age file, armoured. */
  sealedText: string;
}

/** Everything one twin was given; `sealed/<user>/<twin>.json`. */
export interface SealedSecrets {
  version: 1;
  user: string;
  project: string;
  twin: string;
  secrets: SealedSecret[];
}
