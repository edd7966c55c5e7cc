import { ActionNeededError } from "./errors.ts";

export interface Setting {
  required?: boolean;
  fallback?: string;
  pattern?: RegExp;
  /** What a good value is, for the error message. */
  says: string;
}

/**
 * The named settings of an environment. All problems are told at once, in one
 * `ActionNeededError("CONFIG_INVALID")`. An empty value counts as absent.
 */
export function readConfig<Name extends string>(
  settings: Record<Name, Setting>,
  environment: Readonly<Record<string, string | undefined>>,
): Record<Name, string | undefined> {
  const problems: string[] = [];
  const values = {} as Record<Name, string | undefined>;
  for (const [name, setting] of Object.entries(settings) as [Name, Setting][]) {
    const given = environment[name] || undefined;
    const value = given ?? setting.fallback;
    values[name] = value;
    if (value === undefined && setting.required) problems.push(`${name} is missing (${setting.says})`);
    if (value !== undefined && setting.pattern && !setting.pattern.test(value)) {
      problems.push(`${name} is not valid: wanted ${setting.says}`);
    }
  }
  if (problems.length > 0) {
    throw new ActionNeededError("CONFIG_INVALID", problems.join("; "), {
      hint: "set these environment variables and start again",
    });
  }
  return values;
}
