import type { Document, Pair, YAMLMap } from "yaml";
import { ActionNeededError, messageOf } from "#core/errors";
import { maxDocumentBytes } from "./limits.ts";
import { isMap, isScalar, isSeq, parseAllDocuments } from "./yaml-library.ts";

/** A variable that a job has which we write and keep; a job without it is somebody's own. */
const keptVariable = "DTKeptBy";
const keptBy = "dtaas";
const jobPrefix = "trigger_"; // as users of DTaaS call them
const usualStage = "triggers";

/** A twin that shall have a job which triggers its pipeline. */
export interface PipelineTwin {
  name: string;
  /** The file of its pipeline, in the same repository. */
  include: string;
}

export interface EditedPipeline {
  text: string;
  /** Twins whose job was added, written anew, or taken away. */
  added: string[];
  changed: string[];
  removed: string[];
  /** Twins whose job is somebody's own, and stays. */
  theirs: string[];
}

interface Job {
  twin: string;
  pair: Pair;
}

/**
 * The text of a `.gitlab-ci.yml` with a trigger job for each of these twins and for no other one. Only jobs of ours are
 * written or taken away; every other byte stays. Errors: `PIPELINE_BROKEN` for what cannot be read, `PIPELINE_NOT_EDITABLE` for
 * what is written in a way that cannot be changed safely, `PIPELINE_INCLUDED` where jobs of twins are included already.
 */
export function editPipeline(
  text: string,
  twins: readonly PipelineTwin[],
  file = ".gitlab-ci.yml",
): EditedPipeline {
  const before = read(text, file);
  if (includesJobs(before.getIn(["include"]))) {
    throw new ActionNeededError("PIPELINE_INCLUDED", `${file} includes the jobs of all twins already`, {
      where: { file },
      hint: "with trigger jobs beside them each operation would run twice; take the include away, or do without",
    });
  }
  const pairs = pairsOf(before);
  const kept = pairs.flatMap((pair) => keptJob(pair) ?? []);
  const others = pairs.filter((pair) => !kept.some((job) => job.pair === pair));
  const isTheirs = ({ name, include }: PipelineTwin) =>
    others.some((pair) => keyOf(pair) === `${jobPrefix}${name}` || triggers(pair.value, include));
  const wanted = twins.filter((twin) => !isTheirs(twin));
  const stage = stageOf(before);
  const result: EditedPipeline = {
    ...{ text, added: [], changed: [], removed: [] },
    theirs: twins.filter(isTheirs).map(({ name }) => name),
  };
  const newLine = text.includes("\r\n") ? "\r\n" : "\n";

  // From the end to the beginning, so that places stay where they are.
  for (const { twin, pair } of kept.toReversed()) {
    const block = blockOf(result.text, pair);
    if (!block) throw notEditable(file, `the job of ${twin} is not written line by line`);
    const wish = wanted.find(({ name }) => name === twin);
    const now = result.text.slice(block.start, block.end);
    const job = wish && jobText(wish, stage, newLine);
    if (job !== undefined && sameLines(now, job)) continue;
    (job === undefined ? result.removed : result.changed).unshift(twin);
    const start = job === undefined ? withoutBlankLine(result.text, block.start) : block.start;
    result.text = result.text.slice(0, start) + (job ?? "") + result.text.slice(block.end);
  }
  const missing = wanted.filter(({ name }) => !kept.some(({ twin }) => twin === name));
  result.added = missing.map(({ name }) => name);
  if (missing.length > 0)
    result.text = append(result.text, missing, { stage, newLine, isNew: pairs.length === 0 });
  checkOnlyOurs(text, result.text, { file, wanted });
  return result;
}

/** Is there a job of ours? False for what cannot be read. */
export function hasKeptJobs(text: string): boolean {
  try {
    return pairsOf(read(text, "")).some((pair) => keptJob(pair) !== undefined);
  } catch (error) {
    if (error instanceof ActionNeededError) return false;
    throw error;
  }
}

/** A job that triggers the pipeline of one twin when a pipeline is run for it, with the variables users know. */
function jobText({ name, include }: PipelineTwin, stage: string | undefined, newLine: string): string {
  return [
    `${jobPrefix}${name}:`,
    ...(stage === undefined ? [] : [`  stage: ${JSON.stringify(stage)}`]),
    "  trigger:",
    `    include: ${JSON.stringify(include)}`,
    "    strategy: depend",
    "    forward: { pipeline_variables: true }",
    "  rules:",
    `    - if: $DTName == "${name}"`,
    "  variables:",
    `    DTName: ${JSON.stringify(name)}`,
    "    RunnerTag: $RunnerTag",
    `    ${keptVariable}: ${keptBy} # written by DTaaS; without this line the job is yours`,
    "",
  ].join(newLine);
}

function append(
  text: string,
  twins: readonly PipelineTwin[],
  { stage, newLine, isNew }: { stage: string | undefined; newLine: string; isNew: boolean },
): string {
  const ended = text === "" || text.endsWith("\n") ? text : text + newLine;
  const gap = ended === "" ? "" : newLine;
  const stages = isNew ? `${gap}stages:${newLine}  - ${usualStage}${newLine}${newLine}` : gap;
  const ofStage = isNew ? usualStage : stage;
  return ended + stages + twins.map((twin) => jobText(twin, ofStage, newLine)).join(newLine);
}

function read(text: string, file: string): Document.Parsed {
  if (Buffer.byteLength(text) > maxDocumentBytes)
    throw broken(file, `it has more than ${maxDocumentBytes} bytes`);
  let documents: ReturnType<typeof parseAllDocuments>;
  try {
    documents = parseAllDocuments(text, { version: "1.2", merge: true, logLevel: "silent" });
  } catch (error) {
    throw broken(file, messageOf(error)); // nested too deeply
  }
  const list = Array.isArray(documents) ? documents : [];
  const [problem] = list.flatMap(({ errors }) => errors);
  if (problem) {
    const place = problem.linePos?.[0];
    throw broken(
      file,
      problem.message.split("\n", 1)[0] ?? "",
      place && { line: place.line, column: place.col },
    );
  }
  const header = list.length === 2 && isMap(list[0]?.contents) && list[0].has("spec");
  if (list.length > 1 && !header) throw broken(file, "it has more than one document");
  const document = list.at(-1) ?? empty();
  const { contents } = document;
  if (contents !== null && !isMap(contents) && !(isScalar(contents) && contents.value === null)) {
    throw broken(file, "it is no mapping of jobs");
  }
  if (isMap(contents) && contents.flow && contents.items.length > 0) {
    throw notEditable(file, "it is written in braces");
  }
  return document as Document.Parsed;
}

function empty(): Document.Parsed {
  return parseAllDocuments("---\n")[0] as Document.Parsed;
}

function pairsOf(document: Document.Parsed): Pair[] {
  const { contents } = document;
  return isMap(contents) ? (contents as YAMLMap).items : [];
}

function keyOf(pair: Pair): unknown {
  return isScalar(pair.key) ? pair.key.value : undefined;
}

function keptJob(pair: Pair): Job | undefined {
  const name = keyOf(pair);
  if (typeof name !== "string" || !name.startsWith(jobPrefix) || !isMap(pair.value)) return undefined;
  const mark = pair.value.getIn(["variables", keptVariable]);
  return mark === keptBy ? { twin: name.slice(jobPrefix.length), pair } : undefined;
}

/** Does this job trigger the pipeline in that file? */
function triggers(job: unknown, file: string): boolean {
  if (!isMap(job)) return false;
  const include = job.getIn(["trigger", "include"]);
  const entries: unknown[] = isSeq(include) ? include.items : [include];
  return entries.some((entry) => {
    const path = isMap(entry) ? entry.get("local") : isScalar(entry) ? entry.value : entry;
    return typeof path === "string" && path.replace(/^\//, "") === file;
  });
}

/** Does the file itself include the jobs of `templates/twins.yml`, or the component of that name? */
function includesJobs(include: unknown): boolean {
  const entries: unknown[] = isSeq(include) ? include.items : [include];
  return entries.some((entry) => {
    const places: unknown[] = isMap(entry)
      ? ["file", "local", "remote", "component"].map((key) => entry.get(key))
      : [isScalar(entry) ? entry.value : entry];
    const texts = places.flatMap((place) => (isSeq(place) ? place.toJSON() : [place]));
    return texts.some((text) => typeof text === "string" && /(^|\/)twins(\.yml|@[^/]*)$/.test(text));
  });
}

/** The stage our jobs stand in: `triggers` where there is one, else the last; `undefined` where none are named. */
function stageOf(document: Document.Parsed): string | undefined {
  const stages = document.getIn(["stages"]);
  if (!isSeq(stages)) return undefined;
  const names = (stages.toJSON() as unknown[]).filter((name) => typeof name === "string");
  return names.includes(usualStage) ? usualStage : names.at(-1);
}

/** Whole lines of a job; `undefined` where it shares one with something else. */
function blockOf(text: string, { key, value }: Pair): { start: number; end: number } | undefined {
  const start = isScalar(key) ? key.range?.[0] : undefined;
  const last = isMap(value) && !value.flow ? value.range?.[1] : undefined;
  if (start === undefined || last === undefined) return undefined;
  if (start > 0 && text[start - 1] !== "\n") return undefined;
  if (text[last - 1] === "\n") return { start, end: last };
  const end = text.indexOf("\n", last);
  return { start, end: end === -1 ? text.length : end + 1 };
}

/** The blank line that we have put before a job goes with it. */
function withoutBlankLine(text: string, start: number): number {
  const blank = /(\r?\n)\r?\n$/.exec(text.slice(0, start));
  return blank ? start - (blank[0].length - (blank[1]?.length ?? 0)) : start;
}

function sameLines(a: string, b: string): boolean {
  const plain = (text: string) => text.replaceAll("\r\n", "\n").trimEnd();
  return plain(a) === plain(b);
}

/** The edit is believed only when reading it again shows everything else as it was, in the same order, and our jobs. */
function checkOnlyOurs(
  before: string,
  after: string,
  { file, wanted }: { file: string; wanted: readonly PipelineTwin[] },
): void {
  let now: Document.Parsed;
  try {
    now = read(after, file);
    if (foreign(read(before, file)) === foreign(now, pairsOf(read(before, file)).length === 0)) {
      const names = pairsOf(now).flatMap((pair) => keptJob(pair)?.twin ?? []);
      if (
        [...names].sort().join() ===
        wanted
          .map(({ name }) => name)
          .sort()
          .join()
      )
        return;
    }
  } catch (error) {
    throw notEditable(file, messageOf(error));
  }
  throw notEditable(file, "the change would touch what is not ours");
}

/** All that is not ours, as it is read. `withoutStages`: they were added with the first job of an empty file. */
function foreign(document: Document.Parsed, withoutStages = false): string {
  const ours = new Set(pairsOf(document).flatMap((pair) => (keptJob(pair) ? [keyOf(pair)] : [])));
  const value = (document.toJS({ maxAliasCount: 100 }) ?? {}) as Record<string, unknown>;
  return JSON.stringify(
    Object.entries(value).filter(([key]) => !ours.has(key) && !(withoutStages && key === "stages")),
  );
}

function broken(file: string, why: string, place?: { line: number; column: number }): ActionNeededError {
  const at = place === undefined ? file : `${file}:${place.line}:${place.column}`;
  return new ActionNeededError("PIPELINE_BROKEN", `${at}: ${why}`, {
    where: { file, ...place },
    hint: "mend the file and push, then try again",
  });
}

function notEditable(file: string, why: string): ActionNeededError {
  return new ActionNeededError("PIPELINE_NOT_EDITABLE", `${file} cannot be changed safely: ${why}`, {
    where: { file },
    hint: "write the jobs by hand; docs/pipelines.md shows one",
  });
}
