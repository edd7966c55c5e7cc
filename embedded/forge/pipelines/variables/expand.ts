const maxDepth = 100; // variables in variables
const maxLength = 64 * 1024; // characters of one value: a few that name each other twice grow without end

export type Variables = Readonly<Record<string, string>>;

/** A text with `$NAME` and `${NAME}` replaced, `$$` becoming `$`. What is not there becomes nothing. */
export function expandText(text: string, variables: Variables): string {
  return text
    .replace(/\$\$|\$\{([A-Za-z_]\w*)\}|\$([A-Za-z_]\w*)/g, (whole, braced?: string, plain?: string) => {
      const name = braced ?? plain;
      if (name === undefined) return whole === "$$" ? "$" : whole;
      return Object.hasOwn(variables, name) ? (variables[name] ?? "") : "";
    })
    .slice(0, maxLength);
}

/** Values with each other put in. Names in `raw` are taken as they are. A circle ends where it comes back to itself, with nothing. */
export function expandAll(
  variables: Variables,
  raw: ReadonlySet<string> = new Set(),
): Record<string, string> {
  const done = new Map<string, string>();
  const resolve = (name: string, depth: number): string => {
    const known = done.get(name);
    if (known !== undefined) return known;
    const value = Object.hasOwn(variables, name) ? (variables[name] ?? "") : "";
    done.set(name, raw.has(name) ? value : ""); // what a circle finds
    if (raw.has(name) || depth > maxDepth) return value;
    const inside: Record<string, string> = {};
    for (const [, braced, plain] of value.matchAll(/\$\$|\$\{([A-Za-z_]\w*)\}|\$([A-Za-z_]\w*)/g)) {
      const inner = braced ?? plain;
      if (inner !== undefined) inside[inner] = resolve(inner, depth + 1);
    }
    const expanded = expandText(value, inside);
    done.set(name, expanded);
    return expanded;
  };
  return Object.fromEntries(Object.keys(variables).map((name) => [name, resolve(name, 0)]));
}
