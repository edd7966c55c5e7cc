import type { JobPlan, PipelinePlan } from "./job-plan.ts";
import { type Permutation, permutationsOf } from "./matrix.ts";
import { list, type Plain, record, text, texts, variablesOf } from "./plain.ts";
import { readJob } from "./read-job.ts";
import { readCiYaml } from "./read-yaml.ts";

export const maxJobs = 200; // of one pipeline; each may become a container
const workflowJob = "dtaas workflow";
const markPrefix = "dtaas rule ";
// What can stand at the top beside jobs.
const notJobs = new Set([
  ...[
    "include",
    "local_configuration",
    "image",
    "services",
    "stages",
    "before_script",
    "default",
    "after_script",
  ],
  ...["variables", "cache", "workflow", "page:deploy", "spec"],
]);

/** A file as gitlab-ci-local has expanded it, and what it is to be asked next. */
export interface ExpandedFile {
  /** Jobs with nothing but their rules, in each of which stands a need that names it: of the listed jobs, those tell. */
  question: object;
  answer(
    listed: string,
  ):
    | { kind: "plan"; plan: PipelinePlan }
    | { kind: "errors"; errors: string[] }
    | { kind: "filtered"; reason: string };
}

export function readExpanded(
  source: string,
): { kind: "file"; file: ExpandedFile } | { kind: "errors"; errors: string[] } {
  const content = readCiYaml(source)?.content;
  if (content === undefined) return { kind: "errors", errors: ["it cannot be read"] };
  const jobs = Object.entries(content).filter(([name]) => !notJobs.has(name) && !name.startsWith("."));
  const permutations = new Map(
    jobs.map(([name, job]): [string, Permutation[]] => [name, permutationsOf(name, record(job)["parallel"])]),
  );
  const count = [...permutations.values()].reduce((sum, each) => sum + each.length, 0);
  if (count > maxJobs) {
    return {
      kind: "errors",
      errors: [`the pipeline has ${count} jobs, and ${maxJobs} is the most there can be`],
    };
  }
  const workflow = record(content["workflow"]);
  const question = {
    stages: texts(content["stages"]),
    ...(content["variables"] === undefined ? {} : { variables: content["variables"] }),
    ...Object.fromEntries(jobs.map(([name, job]) => [name, questionOf(record(job))])),
    ...(list(workflow["rules"]).length === 0
      ? {}
      : { [workflowJob]: questionOf({ stage: ".pre", rules: workflow["rules"] }) }),
  };
  const file = { question, answer: (listed: string) => answerOf(content, jobs, permutations, listed) };
  return { kind: "file", file };
}

function questionOf(job: Plain): object {
  const kept = ["stage", "parallel", "variables", "when", "allow_failure", "inherit"].filter(
    (name) => job[name] !== undefined,
  );
  return {
    ...Object.fromEntries(kept.map((name) => [name, job[name]])),
    script: ["true"],
    ...(job["rules"] === undefined
      ? {}
      : {
          rules: rulesOf(job).map((rule, at) => ({
            ...rule,
            needs: [{ job: `${markPrefix}${at}`, optional: true }],
          })),
        }),
  };
}

function rulesOf(job: Plain): Plain[] {
  return list(job["rules"]).flat(10).map(record);
}

interface Listed {
  name: string;
  when: string;
  needs?: { job: string }[];
}

function answerOf(
  content: Plain,
  jobs: readonly [string, unknown][],
  permutations: ReadonlyMap<string, readonly Permutation[]>,
  listed: string,
): ReturnType<ExpandedFile["answer"]> {
  // Warnings may stand before the list, which begins on a line of its own.
  const start = Math.max(listed.lastIndexOf("\n[\n"), listed.lastIndexOf("\n[]"));
  const found = new Map((JSON.parse(listed.slice(start + 1)) as Listed[]).map((each) => [each.name, each]));
  const workflow = found.get(workflowJob);
  if (workflow?.when === "never") {
    return { kind: "filtered", reason: "Pipeline filtered out by workflow rules." };
  }
  const defaults = record(content["default"]);
  const plans: JobPlan[] = [];
  for (const [name, value] of jobs) {
    const job = record(value);
    for (const permutation of permutations.get(name) ?? []) {
      const said = found.get(permutation.listedName);
      if (said === undefined || said.when === "never") continue;
      const rule = job["rules"] === undefined ? undefined : rulesOf(job)[heldRule(said)];
      plans.push(readJob({ job, defaults, permutation, rule, permutations }));
    }
  }
  if (plans.length === 0) {
    const reason =
      "Pipeline will not run for the selected trigger. The rules configuration prevented any jobs from being added to the pipeline.";
    return { kind: "filtered", reason };
  }
  const errors = missingNeeds(plans);
  if (errors.length > 0) return { kind: "errors", errors };
  const workflowOptions = record(content["workflow"]);
  const cancel = text(record(workflowOptions["auto_cancel"])["on_new_commit"]);
  const plan: PipelinePlan = {
    name: text(workflowOptions["name"]),
    stages: texts(content["stages"]),
    variables: variablesOf(content["variables"]),
    jobs: plans,
    hasWorkflowRules: workflow !== undefined,
    autoCancel: cancel === "none" || cancel === "interruptible" ? cancel : "conservative",
  };
  return { kind: "plan", plan };
}

function heldRule({ needs = [] }: Listed): number {
  const mark = needs.find(({ job }) => job.startsWith(markPrefix));
  return mark === undefined ? -1 : Number(mark.job.slice(markPrefix.length));
}

/** Jobs that are waited for and were ruled out, in GitLab's words. */
function missingNeeds(plans: readonly JobPlan[]): string[] {
  const names = new Set(plans.map(({ name }) => name));
  return plans.flatMap(({ name, needs }) =>
    (needs ?? [])
      .filter((need) => !need.optional && !names.has(need.job))
      .map(
        (need) =>
          `'${name}' job needs '${need.job}' job, but '${need.job}' does not exist in the pipeline. This might be because of the only, except, or rules keywords. To need a job that sometimes does not exist in the pipeline, use needs:optional.`,
      ),
  );
}
