import fc from "fast-check";
import { expect, test } from "vitest";
import { parseDocument, stringify } from "yaml";
import { editPipeline, type PipelineTwin } from "./edit-pipeline.ts";

const shared = ".gitlab/dtaas-twin.yml";
const twins = (...names: string[]): PipelineTwin[] => names.map((name) => ({ name, include: shared }));
const keysOf = (text: string) => Object.keys(parseDocument(text).toJS() as object);

const theirs = `# Ours since 2024; do not touch.
stages: [build, triggers]   # in this order

default:
  tags: ["$RunnerTag"]

build: &build
  stage: build
  script:
    - |
      echo "trigger_tank:"   # no job, just words

    - make
  # to be mended

"lint":
  <<: *build
  script: !reference [build, script]
# the end
`;

test("an empty repository gets a file with a job for each twin", () => {
  const { text, added } = editPipeline("", twins("tank", "pump"));
  expect(added).toEqual(["tank", "pump"]);
  expect(text).toBe(`stages:
  - triggers

trigger_tank:
  stage: "triggers"
  trigger:
    include: ".gitlab/dtaas-twin.yml"
    strategy: depend
    forward: { pipeline_variables: true }
  rules:
    - if: $DTName == "tank"
  variables:
    DTName: "tank"
    RunnerTag: $RunnerTag
    DTKeptBy: dtaas # written by DTaaS; without this line the job is yours

trigger_pump:
  stage: "triggers"
  trigger:
    include: ".gitlab/dtaas-twin.yml"
    strategy: depend
    forward: { pipeline_variables: true }
  rules:
    - if: $DTName == "pump"
  variables:
    DTName: "pump"
    RunnerTag: $RunnerTag
    DTKeptBy: dtaas # written by DTaaS; without this line the job is yours
`);
});

test("what users have written stays to the byte, and what was added goes again without a trace", () => {
  const added = editPipeline(theirs, twins("tank", "tank-2"));
  expect(added.text.startsWith(theirs)).toBe(true);
  expect(keysOf(added.text)).toEqual([
    "stages",
    "default",
    "build",
    "lint",
    "trigger_tank",
    "trigger_tank-2",
  ]);
  expect(editPipeline(added.text, twins("tank", "tank-2"))).toMatchObject({
    ...{ text: added.text, added: [], changed: [], removed: [] },
  });
  const fewer = editPipeline(added.text, twins("tank-2"));
  expect(fewer.removed).toEqual(["tank"]);
  expect(keysOf(fewer.text)).toEqual(["stages", "default", "build", "lint", "trigger_tank-2"]);
  expect(editPipeline(fewer.text, []).text).toBe(theirs);
});

test("a twin whose name begins like another one's is another twin", () => {
  const { text } = editPipeline(theirs, twins("a", "ab"));
  const { text: without, removed } = editPipeline(text, twins("ab"));
  expect(removed).toEqual(["a"]);
  expect(keysOf(without)).toContain("trigger_ab");
});

test("a job that somebody has written for a twin is theirs, under whatever name", () => {
  const own = `${theirs}
trigger_tank:
  trigger: { include: digital_twins/tank/.gitlab-ci.yml }
by-hand:
  trigger:
    include:
      - local: /digital_twins/pump/.gitlab-ci.yml
`;
  const wanted = ["tank", "pump", "fan"].map((name) => ({
    name,
    include: `digital_twins/${name}/.gitlab-ci.yml`,
  }));
  const edited = editPipeline(own, wanted);
  expect([edited.theirs, edited.added]).toEqual([["tank", "pump"], ["fan"]]);
  expect(edited.text.startsWith(own)).toBe(true);
  expect(editPipeline(edited.text, []).text).toBe(own);
});

test("a job whose mark was taken away is theirs from then on; one that was changed is written anew", () => {
  const { text } = editPipeline(theirs, twins("tank"));
  const unmarked = text.replace(/\n.*DTKeptBy.*\n/, "\n");
  expect(editPipeline(unmarked, [])).toMatchObject({ text: unmarked, removed: [] });
  const changed = text.replace("strategy: depend", "strategy: mirror # faster");
  expect(editPipeline(changed, twins("tank"))).toMatchObject({ text, changed: ["tank"] });
});

test("jobs stand in a stage that the pipeline has", () => {
  expect(editPipeline("stages: [a, b]\nx: { stage: a, script: y }\n", twins("t")).text).toContain(
    'stage: "b"',
  );
  expect(editPipeline("x: { script: y }\n", twins("t")).text).not.toContain("stage:");
});

test("inputs of a pipeline, line ends of Windows and a missing last line end stay", () => {
  const inputs = "spec:\n  inputs: { eu: { default: x } }\n---\njob: { script: y }";
  expect(editPipeline(inputs, twins("t")).text.startsWith(`${inputs}\n`)).toBe(true);
  const windows = "job:\r\n  script: y\r\n";
  const { text } = editPipeline(windows, twins("t"));
  expect(text.startsWith(windows)).toBe(true);
  expect(text.replaceAll("\r\n", "")).not.toContain("\n");
  expect(editPipeline(text, []).text).toBe(windows);
});

test.each([
  ["a syntax error", "a: [1,\nb: 2\n", "PIPELINE_BROKEN"],
  ["a key twice", "a: 1\na: 2\n", "PIPELINE_BROKEN"],
  ["a list", "- a\n", "PIPELINE_BROKEN"],
  ["several documents", "a: 1\n---\nb: 2\n---\nc: 3\n", "PIPELINE_BROKEN"],
  ["nesting without end", `a: ${"[".repeat(50_000)}`, "PIPELINE_BROKEN"],
  ["more bytes than anybody writes", `a: "${"x".repeat(300_000)}"`, "PIPELINE_BROKEN"],
  ["a mapping in braces", "{ a: { script: y } }\n", "PIPELINE_NOT_EDITABLE"],
  [
    "aliases that multiply",
    `a: &a [x,x,x,x,x,x,x,x,x,x]\n${"bcdefghi"
      .split("")
      .map((name, at) => `${name}: &${name} [${Array(10).fill(`*${"abcdefgh"[at]}`).join()}]`)
      .join("\n")}\n`,
    "PIPELINE_NOT_EDITABLE",
  ],
  [
    "the jobs of twins, included",
    "include:\n  - { project: dtaas/common, file: templates/twins.yml }\n",
    "PIPELINE_INCLUDED",
  ],
  ["the component", "include: { component: $CI_SERVER_FQDN/dtaas/common/twins@main }\n", "PIPELINE_INCLUDED"],
])("%s is refused with its reason, and nothing is written", (_what, text, code) => {
  expect(() => editPipeline(text, twins("tank"))).toThrow(expect.objectContaining({ code }));
});

test("a job of ours that others stand on is not taken away under them", () => {
  const { text } = editPipeline("x: { script: y }\n", twins("tank"));
  const based = `${text.replace("trigger_tank:", "trigger_tank: &tank")}\nother:\n  <<: *tank\n`;
  expect(() => editPipeline(based, [])).toThrow(expect.objectContaining({ code: "PIPELINE_NOT_EDITABLE" }));
});

const name = fc.stringMatching(/^[a-z][a-z0-9_-]{0,8}$/);
const comment = fc.stringMatching(/^[ -~]{0,20}$/).map((text) => `# ${text}\n`);
const value = fc.jsonValue({ maxDepth: 3 });
const entry = fc.tuple(name, fc.option(comment, { nil: "" }), value, fc.constantFrom("\n", "", "\n\n"));
const file = fc
  .uniqueArray(entry, { selector: ([key]) => key, maxLength: 6 })
  .map((entries) =>
    entries.map(([key, note, job, gap]) => `${note}${stringify({ [key]: job })}${gap}`).join(""),
  );

test("whatever else is in the file, it stays: the same bytes in the same order, with or without our jobs", () => {
  const names = fc.uniqueArray(name, { maxLength: 5 });
  fc.assert(
    fc.property(file, names, names, (text, first, second) => {
      const all = editPipeline(text, twins(...first));
      if (first.length > 0 && text !== "") expect(all.text.startsWith(text.replace(/\n+$/, ""))).toBe(true);
      const some = editPipeline(all.text, twins(...second));
      const isOurs = (key: string) => key.startsWith("trigger_") && second.includes(key.slice(8));
      const before =
        text.trim() === "" ? {} : ((parseDocument(text).toJS() ?? {}) as Record<string, unknown>);
      const after = (parseDocument(some.text).toJS() ?? {}) as Record<string, unknown>;
      const rest = Object.entries(after).filter(
        ([key]) => !isOurs(key) && (key in before || key !== "stages"),
      );
      expect(rest).toEqual(Object.entries(before));
      expect(editPipeline(some.text, twins(...second)).text).toBe(some.text);
    }),
    { numRuns: 150 },
  );
});

test("any text at all is edited or refused in one of our ways", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string({ unit: "binary" }), fc.stringMatching(/^[ \n\-:{}[\]&*!|>'"#a-c]{0,60}$/)),
      (text) => {
        try {
          const { text: after } = editPipeline(text, twins("tank"));
          expect(after).toContain("trigger_tank");
        } catch (error) {
          expect((error as { code?: string }).code).toMatch(/^PIPELINE_/);
        }
      },
    ),
    { numRuns: 500 },
  );
});
