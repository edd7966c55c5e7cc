import { randomUUID } from "node:crypto";
import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { evaluateFiles, type Parsed } from "./evaluate-files.ts";

let folder: string;

beforeAll(async () => {
  folder = await realpath(await mkdtemp(join(tmpdir(), "ci-parser-")));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function evaluate(
  yaml: string,
  more: {
    variables?: Record<string, string>;
    changed?: string[];
    names?: string[];
    files?: Record<string, string>;
  } = {},
): Promise<Parsed> {
  return await evaluateFiles(join(folder, randomUUID()), {
    input: {
      files: new Map([["root.yml", yaml], ...Object.entries(more.files ?? {})]),
      names: more.names ?? [],
      changed: more.changed ?? [],
      variables: { CI_COMMIT_BRANCH: "main", ...more.variables },
      branch: "main",
      defaultBranch: "main",
      commit: "a".repeat(40),
      origin: "http://127.0.0.1:9/dtaas/user1.git",
      remotes: new Map(),
    },
    root: "root.yml",
    rules: { unset: ["CI_COMMIT_TAG"], ignoreChanges: more.changed === undefined },
    signal: new AbortController().signal,
  });
}

async function planOf(...args: Parameters<typeof evaluate>) {
  const parsed = await evaluate(...args);
  if (parsed.kind !== "plan") throw new Error(JSON.stringify(parsed));
  return parsed.plan;
}

test("jobs come with what they inherit, extend and refer to, and with what their rule says", async () => {
  const plan = await planOf(
    `
workflow:
  name: 'Twin $DTName'
  rules:
    - if: $CI_COMMIT_BRANCH
      variables: { FROM_WORKFLOW: w }
stages: [build, run]
default: { image: python, retry: 1, tags: [$RunnerTag] }
variables: { A: 1, B: { value: b, description: of b } }
.base:
  before_script: [echo base]
  variables: { X: $A }
build:
  stage: build
  extends: .base
  script: [[echo one, echo two], !reference [.base, before_script]]
  artifacts: { paths: [out/], expire_in: 1 day, reports: { dotenv: d.env } }
  rules:
    - if: $A == "2"
      when: manual
    - if: $DTName =~ /^incu/ && $A == "1"
      variables: { FROM_RULE: yes it is }
      allow_failure: true
    - when: never
left-out:
  stage: build
  script: exit 1
  rules:
    - if: $CI_COMMIT_TAG
later:
  stage: run
  needs: [build, { job: left-out, optional: true }]
  script: [run]
  when: delayed
  start_in: 5 seconds
  timeout: 2 minutes
  interruptible: true
  resource_group: twin
  retry: { max: 2, when: [script_failure], exit_codes: [3] }
  id_tokens: { DTAAS_ID_TOKEN: { aud: http://dtaas } }
  environment: { name: twins/$DTName, url: http://x/, on_stop: stop, auto_stop_in: 1 day }
stop:
  stage: run
  script: [stop]
  when: manual
  inherit: { default: false }
  environment: { name: twins/$DTName, action: stop }
`,
    { variables: { DTName: "incubator" } },
  );
  expect(plan).toMatchObject({
    name: "Twin $DTName",
    stages: [".pre", "build", "run", ".post"],
    variables: { A: "1", B: "b", FROM_WORKFLOW: "w" },
  });
  expect(plan.jobs.map(({ name }) => name)).toEqual(["build", "later", "stop"]);
  const [build, later, stop] = plan.jobs;
  expect(build).toMatchObject({
    when: "on_success",
    allowFailure: true,
    beforeScript: ["echo base"],
    script: ["echo one", "echo two", "echo base"],
    variables: { X: "$A", FROM_RULE: "yes it is" },
    image: "python",
    retry: { max: 1 },
    artifacts: { paths: ["out/"], dotenv: ["d.env"], expireInMs: 86_400_000 },
  });
  expect(later).toMatchObject({
    when: "delayed",
    startInMs: 5_000,
    needs: [
      { job: "build", artifacts: true, optional: false },
      { job: "left-out", optional: true },
    ],
    timeoutMs: 120_000,
    interruptible: true,
    resourceGroup: "twin",
    retry: { max: 2, when: ["script_failure"], exitCodes: [3] },
    idTokens: { DTAAS_ID_TOKEN: ["http://dtaas"] },
    environment: { name: "twins/$DTName", onStop: "stop", autoStopInMs: 86_400_000 },
  });
  expect(stop).toMatchObject({ when: "manual", allowFailure: true, image: null, retry: { max: 0 } });
});

test("parallel jobs are several, with GitLab's names, and are waited for by their own", async () => {
  const plan = await planOf(`
build:
  script: [build]
  parallel: { matrix: [{ OS: [a, b], V: 1 }] }
plain:
  script: [plain]
  parallel: 2
after:
  script: [after]
  needs: [{ job: build, parallel: { matrix: [{ OS: b, V: 1 }] } }, plain]
`);
  expect(plan.jobs.map(({ name }) => name)).toEqual([
    "build: [a, 1]",
    "build: [b, 1]",
    "plain 1/2",
    "plain 2/2",
    "after",
  ]);
  expect(plan.jobs[1]?.variables).toEqual({ OS: "b", V: "1" });
  expect(plan.jobs.at(-1)?.needs?.map(({ job }) => job)).toEqual(["build: [b, 1]", "plain 1/2", "plain 2/2"]);
});

test("rules can ask for files and for changes", async () => {
  const yaml = `
there: { script: [a], rules: [{ exists: ["twins/**/dt.yaml"] }] }
not-there: { script: [a], rules: [{ exists: [nothing] }] }
changed: { script: [a], rules: [{ changes: ["twins/**/*"] }] }
same: { script: [a], rules: [{ changes: [docs/*] }] }
`;
  const asked = await planOf(yaml, { names: ["twins/a/dt.yaml"], changed: ["twins/a/x.py"] });
  expect(asked.jobs.map(({ name }) => name)).toEqual(["there", "changed"]);
  const always = await planOf(yaml, { names: ["twins/a/dt.yaml"] });
  expect(always.jobs.map(({ name }) => name)).toEqual(["there", "changed", "same"]);
});

test("a bridge says what it starts", async () => {
  const plan = await planOf(`
stages: [triggers]
trigger_incubator:
  stage: triggers
  trigger: { include: digital_twins/incubator/.gitlab-ci.yml, strategy: depend }
  variables: { RunnerTag: $RunnerTag }
generated:
  stage: triggers
  trigger: { include: [{ artifact: child.yml, job: make }], forward: { pipeline_variables: true } }
other:
  stage: triggers
  trigger: { project: dtaas/other, branch: main }
`);
  expect(plan.jobs.map(({ trigger }) => trigger)).toMatchObject([
    {
      include: [{ local: "digital_twins/incubator/.gitlab-ci.yml" }],
      depends: true,
      forwardsPipelineVariables: false,
    },
    { include: [{ artifact: "child.yml", job: "make" }], depends: false, forwardsPipelineVariables: true },
    { project: "dtaas/other", branch: "main" },
  ]);
});

test("a workflow that does not want the pipeline, and rules that leave no job, say so", async () => {
  const filtered = "workflow: { rules: [{ if: $NO }] }\na: { script: [a] }";
  expect(await evaluate(filtered)).toEqual({
    kind: "filtered",
    reason: "Pipeline filtered out by workflow rules.",
  });
  expect(await evaluate("a: { script: [a], rules: [{ if: $NO }] }")).toMatchObject({ kind: "filtered" });
});

test("inputs are put in with their kinds", async () => {
  const child =
    'spec: { inputs: { n: { type: number }, who: { default: me } } }\n---\na:\n  script: ["$[[ inputs.who ]]"]\n  parallel: $[[ inputs.n ]]\n';
  const root = JSON.stringify({ include: [{ local: "/child.yml", inputs: { n: 2 } }] });
  const plan = await planOf(root, { files: { "child.yml": child } });
  expect(plan.jobs.map(({ name, script }) => [name, script])).toEqual([
    ["a 1/2", ["me"]],
    ["a 2/2", ["me"]],
  ]);
});

test.each([
  ["what is no YAML", "a: [", /unexpected end|can not read|expected/i],
  ["a job without a script", "a: { stage: test }", /must have script|script/],
  ["a keyword that there is not", "a: { script: [a], scripts: [b] }", /scripts|additional/i],
  ["a stage that there is not", "a: { script: [a], stage: nowhere }", /nowhere/],
  ["a need for a job that there is not", "a: { script: [a], needs: [b] }", /b.*could not be found/],
  [
    "a need for a job that was ruled out",
    "b: { script: [b], rules: [{ when: never }] }\na: { script: [a], needs: [b] }",
    /needs 'b'/,
  ],
  [
    "a circle of extends",
    ".a: { extends: .b }\n.b: { extends: .a }\nc: { extends: .a, script: [c] }",
    /circular/,
  ],
  [
    "too many jobs",
    "a: { script: [a], parallel: 150 }\nb: { script: [b], parallel: 60 }",
    /210 jobs, and 200 is the most/,
  ],
  [
    "a file on another host",
    "include: http://127.0.0.1:1/x.yml\na: { script: [a] }",
    /other hosts are not fetched|could not be fetched/,
  ],
  [
    "another project, which was not gathered",
    'include: { project: "$(touch /tmp/ci-was-here)", file: x.yml }\na: { script: [a] }',
    /could not be fetched/,
  ],
  ["a bomb of aliases", bomb(), /too large|longer than|cannot be read|larger/],
])(
  "%s is an error that is told",
  async (_, yaml, message) => {
    const parsed = await evaluate(yaml);
    expect(parsed).toMatchObject({ kind: "errors" });
    expect(parsed.kind === "errors" && parsed.errors.join("\n")).toMatch(message);
    expect(JSON.stringify(parsed)).not.toContain(folder);
  },
  60_000,
);

test.each([
  ["in a condition", { yaml: 'a: { script: [a], rules: [{ if: "process.exit(0)" }] }', variables: {} }],
  [
    "in a variable's value",
    { yaml: 'a: { script: [a], rules: [{ if: $V == "x" }] }', variables: { V: '\\";process.exit(0);//' } },
  ],
])("no code is run that stands %s", async (_, { yaml, variables }) => {
  expect(await evaluate(yaml, { variables })).toMatchObject({ kind: "errors" });
});

test("files of the machine can neither be included nor asked for", async () => {
  expect(await evaluate("include: /../../../../etc/passwd\na: { script: [a] }")).toMatchObject({
    kind: "errors",
  });
  const asks =
    'a: { script: [a], rules: [{ exists: ["/etc/passwd", "../../../../../etc/passwd"] }] }\nb: { script: [b] }';
  const parsed = await evaluate(asks);
  const names = parsed.kind === "plan" ? parsed.plan.jobs.map(({ name }) => name) : [];
  expect(names).not.toContain("a");
});

function bomb(): string {
  const lines = ["l0: &l0 [x, x, x, x, x, x, x, x, x, x]"];
  for (let at = 1; at < 9; at += 1)
    lines.push(
      `l${at}: &l${at} [${Array(10)
        .fill(`*l${at - 1}`)
        .join(", ")}]`,
    );
  return `${lines.map((line) => `.${line}`).join("\n")}\na: { script: *l8 }`;
}
