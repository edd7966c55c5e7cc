/** A pattern of `artifacts:paths`, in the project's folder. */
export interface PathPattern {
  /** The folder or file that it cannot reach out of; `""` for the project's folder. */
  root: string;
  matches(path: string): boolean;
}

/**
 * Reads a pattern: `*` within a folder, `**` across folders, `?`, `{a,b}` and `[abc]`. A folder stands for all that is in it. `undefined` for what
 * leads out of the project's folder.
 */
export function pathPattern(pattern: string): PathPattern | undefined {
  const parts = pattern
    .replace(/^\.\//, "")
    .split("/")
    .filter((part) => part !== "" && part !== ".");
  if (pattern.startsWith("/") || parts.includes("..")) return undefined;
  const special = parts.findIndex((part) => /[*?{}[\]]/.test(part));
  const root = parts.slice(0, special < 0 ? parts.length : special).join("/");
  if (special < 0) {
    return { root, matches: (path) => root === "" || path === root || path.startsWith(`${root}/`) };
  }
  const whole = parts.map(partExpression).join("/").replaceAll("(?:.*)/", "(?:.*/)?");
  const expression = new RegExp(`^${whole}(?:/.*)?$`, "s");
  return { root, matches: (path) => expression.test(path) };
}

function partExpression(part: string): string {
  if (part === "**") return "(?:.*)";
  let text = "";
  let depth = 0;
  for (let at = 0; at < part.length; at += 1) {
    const char = part.charAt(at);
    if (char === "*") text += "[^/]*";
    else if (char === "?") text += "[^/]";
    else if (char === "[") {
      const end = part.indexOf("]", at + 1);
      if (end < 0) text += "\\[";
      else {
        text += `[${part
          .slice(at + 1, end)
          .replace(/^!/, "^")
          .replace(/[\\[\]]/g, "\\$&")}]`;
        at = end;
      }
    } else if (char === "{" && part.indexOf("}", at) > 0) {
      depth += 1;
      text += "(?:";
    } else if (char === "}" && depth > 0) {
      depth -= 1;
      text += ")";
    } else if (char === "," && depth > 0) text += "|";
    else text += char.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
  }
  return text + ")".repeat(depth);
}
