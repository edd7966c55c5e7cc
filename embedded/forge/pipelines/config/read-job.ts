import type {
  ArtifactsPlan,
  EnvironmentPlan,
  IncludePlan,
  JobPlan,
  NeedPlan,
  TriggerPlan,
} from "./job-plan.ts";
import { matchesMatrix, type Permutation } from "./matrix.ts";
import { choice, list, numbers, type Plain, record, text, texts, variablesOf } from "./plain.ts";
import { readDuration } from "./read-duration.ts";

const whens = ["on_success", "on_failure", "always", "manual", "delayed"] as const;
const actions = ["start", "stop", "prepare", "verify", "access"] as const;
const mostRetries = 2; // as in GitLab
// What gitlab-ci-local does not take from `default:` by itself.
const inherited = ["retry", "timeout", "interruptible", "tags", "id_tokens"] as const;

export interface ReadJob {
  /** As it stands in the expanded file. */
  job: Plain;
  defaults: Plain;
  permutation: Permutation;
  /** The rule that held; none where it has no rules. */
  rule: Plain | undefined;
  /** All permutations by the name of their job. */
  permutations: ReadonlyMap<string, readonly Permutation[]>;
}

/** The plan of one job. */
export function readJob({ job: own, defaults, permutation, rule, permutations }: ReadJob): JobPlan {
  const job = withDefaults(own, defaults);
  const when = choice(rule?.["when"] ?? job["when"], whens, "on_success");
  const needs = rule?.["needs"] ?? job["needs"];
  const inherits = record(job["inherit"])["variables"];
  return {
    name: permutation.name,
    stage: text(job["stage"]) ?? "test",
    when,
    startInMs: when === "delayed" ? (readDuration(rule?.["start_in"] ?? job["start_in"]) ?? 0) : 0,
    allowFailure: allowFailureOf(job, rule, when),
    needs: needs === undefined ? null : list(needs).flatMap((need) => readNeed(need, permutations)),
    dependencies:
      job["dependencies"] === undefined
        ? null
        : texts(job["dependencies"]).flatMap((name) => namesOf(name, undefined, permutations)),
    image: text(job["image"]) ?? text(record(job["image"])["name"]),
    beforeScript: texts(job["before_script"]),
    script: texts(job["script"] ?? record(job["run"])["script"]),
    afterScript: texts(job["after_script"]),
    variables: {
      ...variablesOf(job["variables"]),
      ...permutation.variables,
      ...variablesOf(rule?.["variables"]),
    },
    inherits: Array.isArray(inherits) ? texts(inherits) : inherits !== false,
    interruptible: (rule?.["interruptible"] ?? job["interruptible"]) === true,
    resourceGroup: text(job["resource_group"]),
    timeoutMs: readDuration(job["timeout"]) ?? null,
    retry: readRetry(job["retry"]),
    artifacts: readArtifacts(record(job["artifacts"])),
    environment: readEnvironment(job["environment"]),
    idTokens: Object.fromEntries(
      Object.entries(record(job["id_tokens"])).map(([name, token]) => [name, texts(record(token)["aud"])]),
    ),
    trigger: readTrigger(job["trigger"]),
    tags: texts(job["tags"] ?? []),
    hasRules: job["rules"] !== undefined,
    node: permutation.index === undefined ? null : { index: permutation.index, total: permutation.total },
  };
}

function withDefaults(job: Plain, defaults: Plain): Plain {
  const wanted = record(job["inherit"])["default"];
  if (wanted === false) return job;
  const taken = inherited.filter((name) => !Array.isArray(wanted) || wanted.includes(name));
  const filled = taken.filter((name) => job[name] === undefined && defaults[name] !== undefined);
  return { ...job, ...Object.fromEntries(filled.map((name) => [name, defaults[name]])) };
}

/** A job that is manual by itself may be left out; one that a rule makes manual may not, unless it says so. */
function allowFailureOf(job: Plain, rule: Plain | undefined, when: JobPlan["when"]): boolean | number[] {
  const said = rule?.["allow_failure"] ?? job["allow_failure"];
  if (typeof said === "boolean") return said;
  const codes = record(said)["exit_codes"];
  if (codes !== undefined) return numbers(codes);
  return rule === undefined && when === "manual";
}

function readNeed(value: unknown, permutations: ReadJob["permutations"]): NeedPlan[] {
  const need = record(value);
  const name = text(value) ?? text(need["job"]);
  // Jobs of other pipelines and projects: nothing here waits for them.
  if (name === null || need["project"] !== undefined || need["pipeline"] !== undefined) return [];
  const artifacts = need["artifacts"] !== false;
  const optional = need["optional"] === true;
  const matrix = record(need["parallel"])["matrix"];
  return namesOf(name, matrix, permutations).map((job) => ({ job, artifacts, optional }));
}

/** A job that `parallel` has made several of stands for all of them. */
function namesOf(name: string, matrix: unknown, permutations: ReadJob["permutations"]): string[] {
  const all = permutations.get(name);
  if (all === undefined) return [name];
  return all.filter(({ variables }) => matchesMatrix(variables, matrix)).map((each) => each.name);
}

function readRetry(value: unknown): JobPlan["retry"] {
  const retry = record(value);
  const max = typeof value === "number" ? value : Number(retry["max"] ?? 0);
  return {
    max: Number.isInteger(max) ? Math.min(Math.max(max, 0), mostRetries) : 0,
    when: retry["when"] === undefined ? [] : texts(retry["when"]),
    exitCodes: numbers(retry["exit_codes"]),
  };
}

function readArtifacts(artifacts: Plain): ArtifactsPlan | null {
  const reports = record(artifacts["reports"]);
  const dotenv = reports["dotenv"] === undefined ? [] : texts(reports["dotenv"]);
  const others = Object.entries(reports).filter(([kind]) => kind !== "dotenv");
  const paths = [
    ...(artifacts["paths"] === undefined ? [] : texts(artifacts["paths"])),
    ...others.flatMap(([, value]) =>
      typeof value === "object" && !Array.isArray(value) ? texts(record(value)["path"]) : texts(value),
    ),
  ];
  if (paths.length === 0 && dotenv.length === 0) return null;
  return {
    name: text(artifacts["name"]),
    paths,
    exclude: artifacts["exclude"] === undefined ? [] : texts(artifacts["exclude"]),
    when: choice(artifacts["when"], ["on_success", "on_failure", "always"], "on_success"),
    expireInMs: readDuration(artifacts["expire_in"]) ?? null,
    dotenv,
  };
}

function readEnvironment(value: unknown): EnvironmentPlan | null {
  const environment = record(value);
  const name = text(value) ?? text(environment["name"]);
  if (name === null) return null;
  return {
    name,
    url: text(environment["url"]),
    action: choice(environment["action"], actions, "start"),
    onStop: text(environment["on_stop"]),
    autoStopInMs: readDuration(environment["auto_stop_in"]) ?? null,
    tier: text(environment["deployment_tier"]),
  };
}

function readTrigger(value: unknown): TriggerPlan | null {
  if (value === undefined || value === null) return null;
  const trigger = record(value);
  const forward = record(trigger["forward"]);
  const project = text(value) ?? text(trigger["project"]);
  return {
    include: list(trigger["include"]).map(readInclude),
    project,
    branch: text(trigger["branch"]),
    depends: trigger["strategy"] === "depend" || trigger["strategy"] === "mirror",
    forwardsYamlVariables: forward["yaml_variables"] !== false,
    forwardsPipelineVariables: forward["pipeline_variables"] === true,
    inputs: { ...record(trigger["inputs"]) },
  };
}

function readInclude(value: unknown): IncludePlan {
  const include = record(value);
  return {
    local: text(value) ?? text(include["local"]),
    artifact: text(include["artifact"]),
    job: text(include["job"]),
    project: text(include["project"]),
    ref: text(include["ref"]),
    file: include["file"] === undefined ? [] : texts(include["file"]),
    inputs: { ...record(include["inputs"]) },
  };
}
