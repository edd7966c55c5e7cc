import type { ForgeContext } from "../../forge-context.ts";
import type { ProjectRecord } from "../../store/records.ts";
import type { CiJob, CiPipeline, GivenVariable } from "../ci-records.ts";
import { expandAll } from "./expand.ts";
import { predefinedOfJob, predefinedOfPipeline, runsProtected, type Surroundings } from "./predefined.ts";
import { storedVariables } from "./stored-variables.ts";

export interface JobVariable {
  key: string;
  value: string;
  /** The value stands in a file, and the variable says where. */
  file: boolean;
  /** Taken out of the trace. */
  masked: boolean;
  /** Not expanded. */
  raw: boolean;
}

export interface VariablesOf {
  around: Surroundings & { pipeline: CiPipeline };
  job: CiJob;
  /** What needed jobs have left. */
  dotenv: Readonly<Record<string, string>>;
  timeoutMs: number;
}

/**
 * Everything a job's environment holds, by GitLab's order of precedence: predefined ones, those of the files, of earlier jobs, of groups and the project,
 * and those given with the pipeline and the play. Each once, with the others put in.
 */
export function jobVariables(
  context: ForgeContext,
  { around, job, dotenv, timeoutMs }: VariablesOf,
): JobVariable[] {
  const { project, pipeline } = around;
  const { plan } = job;
  const inherited = Object.entries(pipeline.yamlVariables).filter(
    ([name]) => plan.inherits === true || (Array.isArray(plan.inherits) && plan.inherits.includes(name)),
  );
  const stored = storedVariables(context, project, {
    isProtected: runsProtected(project, pipeline),
    environment: plan.environment?.name ?? null,
  });
  const layers: JobVariable[] = [
    ...plain(predefinedOfPipeline(context, around)),
    ...plain(predefinedOfJob(context, project, { ...job, timeoutMs })),
    ...plain(Object.fromEntries(inherited)),
    ...plain(plan.variables),
    ...plain(dotenv).map((each) => ({ ...each, raw: true })),
    ...stored.map(({ key, value, type, masked, raw }) => ({
      key,
      value,
      file: type === "file",
      masked,
      raw,
    })),
    ...given(pipeline.variables),
    ...given(job.playVariables),
  ];
  const last = new Map(layers.map((each) => [each.key, each]));
  return expanded([...last.values()], project);
}

function expanded(variables: JobVariable[], project: ProjectRecord): JobVariable[] {
  const raw = new Set(variables.filter(({ raw: isRaw, file }) => isRaw || file).map(({ key }) => key));
  const seen = variables.map(({ key, value, file }): [string, string] => [
    key,
    file ? fileOf(project, key) : value,
  ]);
  const values = expandAll(Object.fromEntries(seen), raw);
  return variables.map((each) => ({ ...each, value: each.file ? each.value : (values[each.key] ?? "") }));
}

/** Where a variable that is a file lies in a job. */
export function fileOf(project: ProjectRecord, key: string): string {
  return `/builds/${project.fullPath}.tmp/${key}`;
}

/** Names and values as other texts of the job see them. */
export function asTexts(variables: readonly JobVariable[], project: ProjectRecord): Record<string, string> {
  return Object.fromEntries(
    variables.map(({ key, value, file }) => [key, file ? fileOf(project, key) : value]),
  );
}

function plain(variables: Readonly<Record<string, string>>): JobVariable[] {
  return Object.entries(variables).map(([key, value]) => ({
    key,
    value,
    file: false,
    masked: false,
    raw: false,
  }));
}

function given(variables: readonly GivenVariable[]): JobVariable[] {
  return variables.map(({ key, value, type, raw }) => ({
    key,
    value,
    file: type === "file",
    masked: false,
    raw,
  }));
}
