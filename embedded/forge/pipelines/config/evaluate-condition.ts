/**
 * What a condition of `rules:if` comes to, once gitlab-ci-local has put variables in: literals, `==`, `!=`, `&&`, `||`, brackets and
 * `.matchRE2JS(RE2JS.compile(pattern, flags))`. Stands for `eval` in its process, where any JavaScript would run otherwise, be it from a
 * condition or from a variable's value. Throws for everything else. It is sent there as its own source text, so it uses
 * nothing from outside but `globalThis`.
 */
export function evaluateCondition(text: string): unknown {
  type Re2 = { compile(pattern: string, flags: number): unknown };
  type Matching = string & { matchRE2JS(pattern: unknown): unknown };
  const maxDepth = 100; // brackets in brackets; an honest condition has three
  let at = 0;
  let depth = 0;

  const skip = () => {
    while (at < text.length && /\s/.test(text.charAt(at))) at += 1;
  };
  const take = (token: string): boolean => {
    skip();
    if (!text.startsWith(token, at)) return false;
    at += token.length;
    return true;
  };
  const need = (token: string): void => {
    if (!take(token)) throw new Error(`no condition: ${token} is missing`);
  };
  const escapes: Record<string, string> = { n: "\n", t: "\t", r: "\r", b: "\b", f: "\f", v: "\v" };

  function literal(): string | undefined {
    skip();
    const quote = text.charAt(at);
    if (quote !== '"' && quote !== "'") return undefined;
    let value = "";
    for (at += 1; at < text.length; at += 1) {
      const char = text.charAt(at);
      if (char === quote) {
        at += 1;
        return value;
      }
      if (char !== "\\") {
        value += char;
        continue;
      }
      at += 1;
      const escaped = text.charAt(at);
      const code = escaped === "u" ? /^[0-9a-f]{4}/i.exec(text.slice(at + 1, at + 5))?.[0] : undefined;
      if (code !== undefined) {
        value += String.fromCharCode(Number.parseInt(code, 16));
        at += 4;
      } else value += escapes[escaped] ?? escaped;
    }
    throw new Error("no condition: a quote is not closed");
  }

  function compiled(): unknown {
    need("RE2JS.compile(");
    const pattern = literal();
    if (pattern === undefined) throw new Error("no condition: a pattern is missing");
    need(",");
    skip();
    const flags = /^\d{1,4}/.exec(text.slice(at, at + 4))?.[0] ?? "";
    at += flags.length;
    need(")");
    return (globalThis as unknown as { RE2JS: Re2 }).RE2JS.compile(pattern, Number(flags));
  }

  function value(): unknown {
    if (take("(")) {
      depth += 1;
      if (depth > maxDepth) throw new Error("no condition: too many brackets");
      const inner = either();
      need(")");
      depth -= 1;
      return inner;
    }
    const found = literal();
    if (found !== undefined) {
      if (!take(".matchRE2JS(")) return found;
      const pattern = compiled();
      need(")");
      return (found as Matching).matchRE2JS(pattern);
    }
    for (const [word, meaning] of [
      ["null", null],
      ["true", true],
      ["false", false],
    ] as const) {
      if (take(word)) return meaning;
    }
    throw new Error("no condition: a value is missing");
  }

  function comparison(): unknown {
    const left = value();
    if (take("==")) return left === value();
    if (take("!=")) return left !== value();
    return left;
  }

  function both(): unknown {
    let result = comparison();
    while (take("&&")) {
      const right = comparison();
      result = result && right;
    }
    return result;
  }

  function either(): unknown {
    let result = both();
    while (take("||")) {
      const right = both();
      result = result || right;
    }
    return result;
  }

  const result = either();
  skip();
  if (at < text.length) throw new Error("no condition: something follows it");
  return result;
}
