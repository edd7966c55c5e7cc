import { expect, test } from "vitest";
import { isKept, keepPipeline, pipelineFile, sharedPipelineFile } from "./keep-pipeline.ts";
import { repositoryTree } from "./repository-tree.ts";

const treeOf = (...paths: string[]) =>
  repositoryTree(paths.map((path) => ({ path, kind: "file" as const, executable: false, id: path })));
const library = "dtaas/common";

test("a twin with a pipeline of its own triggers that, the others the shared one, which is written once", () => {
  const tree = treeOf(
    "digital_twins/tank/.gitlab-ci.yml",
    "digital_twins/tank/dt.yaml",
    "digital_twins/pump/dt.yaml",
  );
  const { files, added } = keepPipeline({ tree, text: undefined, twins: ["tank", "pump"], library });
  expect(added).toEqual(["tank", "pump"]);
  expect(files.map(({ path }) => path)).toEqual([pipelineFile, sharedPipelineFile]);
  expect(files[0]?.content).toContain('include: "digital_twins/tank/.gitlab-ci.yml"');
  expect(files[0]?.content).toContain('include: ".gitlab/dtaas-twin.yml"');
  expect(files[1]?.content).toContain('{ project: "dtaas/common", file: templates/twins.yml }');
  const again = keepPipeline({
    tree: treeOf("digital_twins/tank/.gitlab-ci.yml", sharedPipelineFile),
    ...{ text: files[0]?.content, twins: ["tank", "pump"], library },
  });
  expect(again.files).toEqual([]);
});

test("a repository of today's DTaaS needs nothing: its twins have jobs of its users' own", () => {
  const text =
    "stages: [triggers]\ntrigger_tank:\n  trigger: { include: digital_twins/tank/.gitlab-ci.yml }\n";
  const tree = treeOf("digital_twins/tank/.gitlab-ci.yml");
  expect(keepPipeline({ tree, text, twins: ["tank"], library })).toMatchObject({
    files: [],
    theirs: ["tank"],
  });
  expect(isKept({ tree, text })).toBe(false);
});

test("jobs are kept once somebody has committed some, also when the last twin has gone", () => {
  const [root] = keepPipeline({ tree: treeOf(), text: undefined, twins: ["tank"], library }).files;
  expect(isKept({ tree: treeOf(), text: root?.content })).toBe(true);
  expect(isKept({ tree: treeOf(sharedPipelineFile), text: undefined })).toBe(true);
  expect(isKept({ tree: treeOf("digital_twins/tank/dt.yaml"), text: undefined })).toBe(false);
});
