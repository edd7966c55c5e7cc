import { ActionNeededError } from "#core/errors";
import type { Parameters, ParameterValue } from "#schemas/twin-spec";

/**
 * Parameters as they are typed: `name=value`, and `outer.inner=value` for those inside a mapping. A value that is JSON
 * counts as that, everything else as text. Throws `ActionNeededError("USAGE")`.
 */
export function givenParameters(words: readonly string[]): Parameters {
  const given: Parameters = {};
  for (const word of words) {
    const at = word.indexOf("=");
    const names = word.slice(0, Math.max(0, at)).split(".");
    const last = names.pop() ?? "";
    if (![...names, last].every((name) => /^[A-Za-z][A-Za-z0-9_]*$/.test(name))) {
      throw usage(word, "is not written as name=value");
    }
    let target = given;
    for (const name of names) {
      const inner = Object.hasOwn(target, name) ? target[name] : {};
      if (typeof inner !== "object" || Array.isArray(inner)) throw usage(word, "contradicts the ones before");
      target[name] = inner;
      target = inner;
    }
    if (Object.hasOwn(target, last)) throw usage(word, "contradicts the ones before");
    target[last] = valueFrom(word.slice(at + 1));
  }
  return given;
}

function valueFrom(text: string): ParameterValue {
  try {
    return JSON.parse(text) as ParameterValue; // the platform checks what it is
  } catch {
    return text;
  }
}

function usage(word: string, why: string): ActionNeededError {
  return new ActionNeededError("USAGE", `--param ${JSON.stringify(word)} ${why}`, {
    hint: "for example: --param initialTemperature=22.5 --param controller.upper=37",
  });
}
