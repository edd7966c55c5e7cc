import { ActionNeededError } from "#core/errors";
import { freshKey, type TwinMemory } from "./memory.ts";

/**
 * Memories by twin as they were read from disk, handed back as their type: everything that a plan computes with is there and of its
 * kind. `ActionNeededError("DOCUMENT_INVALID")` otherwise. Pure.
 */
export function checkMemories(value: unknown, file: string): Record<string, TwinMemory> {
  if (!isRecord(value)) throw invalid(file, "it is no object");
  for (const [twin, memory] of Object.entries(value)) {
    const problem = problemOf(memory);
    if (problem !== undefined) throw invalid(file, `${problem} of ${twin} is not understood`);
  }
  return value as Record<string, TwinMemory>;
}

function problemOf(memory: unknown): string | undefined {
  if (!isRecord(memory)) return "what is remembered";
  const { open, keys, lastGood, refused, terminated } = memory;
  if (!isRecord(open) || !Object.values(open).every(isOpenRun)) return "an open run";
  if (!isRecord(keys) || !Object.values(keys).every(isKeyMemory)) return "a key";
  if (lastGood !== undefined && !isLastGood(lastGood)) return "the last good source";
  if (refused !== undefined && !hasTexts(refused, "key", "revision", "reason")) return "the refused revision";
  if (terminated !== undefined && typeof terminated !== "string") return "the terminated run";
  return undefined;
}

function isOpenRun(value: unknown): boolean {
  if (!hasTexts(value, "operation", "cause", "key")) return false;
  return (
    typeof value["started"] === "boolean" &&
    isNumber(value["attempt"]) &&
    isNumber(value["graceMs"]) &&
    (value["timeoutMs"] === undefined || isNumber(value["timeoutMs"])) &&
    (value["containerId"] === undefined || typeof value["containerId"] === "string")
  );
}

function isKeyMemory(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const areThere = Object.entries(freshKey).every(([name, fresh]) => typeof value[name] === typeof fresh);
  const times = [value["lastEndedAtMs"], value["firstStartedAtMs"]];
  return areThere && times.every((time) => time === undefined || isNumber(time));
}

function isLastGood(value: unknown): boolean {
  if (!hasTexts(value, "key")) return false;
  const { source } = value;
  if (!hasTexts(source, "name", "sourceKey", "revision")) return false;
  const { spec, own } = source;
  return (
    isRecord(spec) &&
    isRecord(spec["lifecycle"]) &&
    isRecord(spec["workspace"]) &&
    hasTexts(own, "project", "commit")
  );
}

function hasTexts(value: unknown, ...names: string[]): value is Record<string, unknown> {
  return isRecord(value) && names.every((name) => typeof value[name] === "string");
}

function isNumber(value: unknown): boolean {
  return typeof value === "number" && Number.isFinite(value);
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid(file: string, why: string): ActionNeededError {
  return new ActionNeededError("DOCUMENT_INVALID", `${file} holds no memory of twins: ${why}`, {
    where: { file },
  });
}
