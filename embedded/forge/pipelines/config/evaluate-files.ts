import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { PipelinePlan } from "./job-plan.ts";
import { expandedFile, type ParserInput, writeParserFolder } from "./parser-folder.ts";
import { readExpanded } from "./read-expanded.ts";
import { runParser } from "./run-parser.ts";

const rulesFile = ".dtaas-rules.yml";

export type Parsed =
  | { kind: "plan"; plan: PipelinePlan; expanded: string }
  | { kind: "errors"; errors: string[] }
  | { kind: "filtered"; reason: string };

/**
 * Has gitlab-ci-local read files in a new folder: once to merge, check and expand them, and once to hear which rules hold. For the second
 * look each rule gets a need with a name of its own, which the list of jobs then shows.
 */
export async function evaluateFiles(
  folder: string,
  {
    input,
    root,
    rules,
    signal,
  }: {
    input: ParserInput;
    root: string;
    rules: { unset: readonly string[]; ignoreChanges: boolean };
    signal: AbortSignal;
  },
): Promise<Parsed> {
  await writeParserFolder(folder, input);
  const options = [
    ...rules.unset.map((name) => `--unset-variable=${name}`),
    ...(rules.ignoreChanges ? ["--no-evaluate-rule-changes"] : []),
  ];
  const previewed = await runParser(folder, [`--file=${root}`, "--preview", ...options], signal);
  if (previewed.kind === "failed") return { kind: "errors", errors: [previewed.error] };
  const expanded = await readFile(join(folder, "work", expandedFile), "utf8");
  const read = readExpanded(expanded);
  if (read.kind === "errors") return read;
  await writeFile(join(folder, "work", rulesFile), JSON.stringify(read.file.question));
  const args = [`--file=${rulesFile}`, "--list-json", "--no-json-schema-validation", ...options];
  const listed = await runParser(folder, args, signal);
  if (listed.kind === "failed") return { kind: "errors", errors: [listed.error] };
  const answer = read.file.answer(listed.output);
  return answer.kind === "plan" ? { ...answer, expanded } : answer;
}
