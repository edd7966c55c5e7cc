// Generated from schemas/documents/ci-job.schema.json by scripts/generate-types.mjs; do not edit.

/**
 * @maxItems 500
 */
export type Patterns = string[];

/**
 * One job of a pipeline as the runner shall run it. Holds tokens and values of variables: for the two processes only.
 */
export interface CiJobDocument {
  version: 1;
  id: number;
  /**
   * Whose job it is: jobs of different people share no network.
   */
  user: string;
  /**
   * Full path; the working directory is below /builds.
   */
  project: string;
  pipelineId: number;
  name: string;
  /**
   * As it is written in the pipeline; the runner decides what may run.
   */
  image?: string;
  /**
   * @maxItems 2000
   */
  script: string[];
  /**
   * @maxItems 2000
   */
  afterScript: string[];
  /**
   * @maxItems 10000
   */
  variables: {
    key: string;
    value: string;
    file: boolean;
    masked: boolean;
  }[];
  timeoutMs: number;
  /**
   * source.tar lies beside it.
   */
  hasSource: boolean;
  /**
   * How many input-<n>.tar lie beside it: artifacts of earlier jobs.
   */
  inputs: number;
  artifacts?: {
    paths: Patterns;
    exclude: Patterns;
    when: "on_success" | "on_failure" | "always";
    dotenv: Patterns;
  };
}
