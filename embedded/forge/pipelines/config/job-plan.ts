/** What `.gitlab-ci.yml` says of one job of one pipeline, with includes, `extends`, rules and `parallel` worked out. Kept with the job. */
export interface JobPlan {
  name: string;
  stage: string;
  when: "on_success" | "on_failure" | "always" | "manual" | "delayed";
  startInMs: number;
  /** Exit codes that may be, or any failure. */
  allowFailure: boolean | number[];
  /** `null`: everything in earlier stages. */
  needs: NeedPlan[] | null;
  /** Whose artifacts it gets, by name; `null`: of everything it waits for. */
  dependencies: string[] | null;
  image: string | null;
  beforeScript: string[];
  script: string[];
  afterScript: string[];
  /** Its own, those of the rule that held, and those of `parallel: matrix`, not yet expanded. */
  variables: Record<string, string>;
  /** Which of the pipeline's own variables it has. */
  inherits: boolean | string[];
  interruptible: boolean;
  resourceGroup: string | null;
  timeoutMs: number | null;
  retry: { max: number; when: string[]; exitCodes: number[] };
  artifacts: ArtifactsPlan | null;
  environment: EnvironmentPlan | null;
  /** Audiences by the variable that gets the token. */
  idTokens: Record<string, string[]>;
  trigger: TriggerPlan | null;
  tags: string[];
  /** It has rules: without, it is in no pipeline of a merge request unless the workflow has. */
  hasRules: boolean;
  /** Of `parallel`. */
  node: { index: number; total: number } | null;
}

export interface NeedPlan {
  /** Of a job of this pipeline. */
  job: string;
  artifacts: boolean;
  optional: boolean;
}

export interface ArtifactsPlan {
  name: string | null;
  paths: string[];
  exclude: string[];
  when: "on_success" | "on_failure" | "always";
  expireInMs: number | null;
  dotenv: string[];
}

export interface EnvironmentPlan {
  name: string;
  url: string | null;
  action: "start" | "stop" | "prepare" | "verify" | "access";
  onStop: string | null;
  autoStopInMs: number | null;
  tier: string | null;
}

/** A child pipeline of the same project, or a pipeline of another one. */
export interface TriggerPlan {
  include: IncludePlan[];
  project: string | null;
  branch: string | null;
  /** The bridge takes the status of what it has started. */
  depends: boolean;
  forwardsYamlVariables: boolean;
  forwardsPipelineVariables: boolean;
  inputs: Record<string, unknown>;
}

export interface IncludePlan {
  local: string | null;
  /** A file among the artifacts of a job of this pipeline. */
  artifact: string | null;
  job: string | null;
  /** Of another project here. */
  project: string | null;
  ref: string | null;
  file: string[];
  inputs: Record<string, unknown>;
}

/** A whole pipeline as its files and rules make it. */
export interface PipelinePlan {
  name: string | null;
  stages: string[];
  /** `variables:` at the top, and of the workflow rule that held. */
  variables: Record<string, string>;
  jobs: JobPlan[];
  /** `workflow:rules` decide which pipelines there are. */
  hasWorkflowRules: boolean;
  autoCancel: "conservative" | "interruptible" | "none";
}
