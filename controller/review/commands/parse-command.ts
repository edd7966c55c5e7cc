import { didYouMean } from "#schemas/suggest";

/** What somebody asks of the platform in a note. */
export type Command =
  | { kind: "plan" | "stop" | "help" }
  | { kind: "preview"; twins: string[] }
  | { kind: "run"; operation: string; twin: string | undefined }
  /** A word that is none, or words too many or too few; `hint` says what was probably meant. */
  | { kind: "unknown"; said: string; hint: string };

const verbs = ["plan", "preview", "stop", "run", "help"];
const maxLine = 300; // characters of a command; a longer line is no command
const maxTwins = 20;
const name = /^[A-Za-z0-9_][A-Za-z0-9_.-]*(?:\/[A-Za-z0-9_][A-Za-z0-9_.-]*)?$/;

/**
 * The command of a note: the first line that begins with `/dtaas`, outside of quotes, code and hidden text. `undefined` for a
 * note that asks nothing of us. Pure.
 */
export function parseCommand(body: string): Command | undefined {
  const line = spokenLines(body).find((text) => /^ {0,3}\/dtaas(?:\s|$)/i.test(text));
  if (line === undefined || line.length > maxLine) return undefined;
  const [verb = "help", ...words] = line.trim().split(/\s+/).slice(1);
  const wrong = (hint: string): Command => ({ kind: "unknown", said: line.trim(), hint });
  const odd = words.find((word) => !name.test(word));
  if (odd !== undefined) return wrong("names hold letters, digits, `-`, `_` and `.`");
  switch (verb.toLowerCase()) {
    case "plan":
    case "stop":
    case "help":
      if (words.length > 0) return wrong(`\`/dtaas ${verb.toLowerCase()}\` stands alone`);
      return { kind: verb.toLowerCase() as "plan" };
    case "preview":
      if (words.length > maxTwins) return wrong(`at most ${maxTwins} twins can be named`);
      return { kind: "preview", twins: words };
    case "run": {
      const [operation, twin, ...more] = words;
      if (operation === undefined || more.length > 0) return wrong("write `/dtaas run <operation> [twin]`");
      return { kind: "run", operation, twin };
    }
    default:
      return wrong(didYouMean(verb.toLowerCase(), verbs) ?? `there are ${verbs.join(", ")}`);
  }
}

/** Lines that a person says: no code blocks, no quotes, nothing hidden. What is never closed hides the rest. */
function spokenLines(body: string): string[] {
  const lines: string[] = [];
  let fence: string | undefined;
  const visible = body.replaceAll("\r\n", "\n").replace(/<!--[\s\S]*?(?:-->|$)/g, "");
  for (const line of visible.split("\n")) {
    const mark = /^\s*(?:>\s*)*(`{3,}|~{3,}|>>>)/.exec(line)?.[1];
    if (fence !== undefined) {
      const closes = mark?.startsWith(fence) && /^\s*(?:>\s*)*[`~>]+\s*$/.test(line);
      if (closes) fence = undefined;
    } else if (mark !== undefined) fence = mark;
    else if (!/^(?: {4}|\t)|^\s*>/.test(line)) lines.push(line);
  }
  return lines;
}
