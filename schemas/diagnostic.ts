/** One finding about what somebody wrote, with the place and the mend. Lines and columns start at 1. */
export interface Diagnostic {
  /** Stable and machine-readable, kebab case, such as `unknown-field`. */
  code: string;
  severity: "error" | "warning";
  /** Path inside the repository. */
  file: string;
  line: number;
  column: number;
  message: string;
  hint?: string;
  /** Where there is no doubt: what stands at this place, and what it must be instead. */
  mend?: { from: string; to: string };
}
