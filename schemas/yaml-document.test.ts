import { describe, expect, test } from "vitest";
import { maxDiagnosticsPerDocument, maxDocumentBytes } from "./limits.ts";
import { parseDigitalTwin } from "./parse-digital-twin.ts";
import { readYaml } from "./yaml-document.ts";

function found(input: string | Uint8Array) {
  return readYaml(input, "dt.yaml").diagnostics.map(({ code, line, column }) => [code, line, column]);
}

describe("what is not clean YAML 1.2 is refused at its place", () => {
  test.each<[string, string, [string, number, number][]]>([
    ["nothing", "", [["empty-document", 1, 1]]],
    ["only a comment", "# later\n", [["empty-document", 1, 1]]],
    ["an open bracket", "a: 1\nb: [1, 2\nc: 3\n", [["yaml-syntax", 3, 1]]],
    ["a tab as indent", "a:\n\tb: 1\n", [["yaml-syntax", 2, 1]]],
    ["an open quote", 'a: "b\n', [["yaml-syntax", 2, 1]]],
    ["a key twice", "a: 1\nb: 2\na: 3\n", [["duplicate-key", 3, 1]]],
    ["a key twice, deep inside", "a: [{ x: 1, x: 2 }]\n", [["duplicate-key", 1, 13]]],
    ["two documents", "a: 1\n---\nb: 2\n", [["several-documents", 2, 1]]],
    ["YAML 1.1", "%YAML 1.1\n---\na: yes\n", [["yaml-version", 1, 1]]],
    ["a merge key", "a: &x { b: 1 }\nc:\n  <<: *x\n", [["merge-key", 3, 3]]],
    ["a tag of one's own", "a: !include x.yaml\n", [["custom-tag", 1, 4]]],
    [
      "a tag for code of another language",
      "a: !!python/object/apply:os.system [ls]\n",
      [["custom-tag", 1, 4]],
    ],
    ["a number that is none", "a: !!int x\n", [["custom-tag", 1, 4]]],
    ["a binary tag", "a: !!binary aGk=\n", [["custom-tag", 1, 4]]],
    ["a prototype as key", "a: 1\n__proto__: { x: 1 }\n", [["reserved-key", 2, 1]]],
    ["a list as key", "? [a]\n: 1\n", [["key-not-text", 1, 3]]],
    ["an alias as key", "a: &x b\n*x : 1\n", [["key-not-text", 2, 1]]],
    ["an unknown anchor", "a: *x\n", [["unknown-anchor", 1, 4]]],
    ["an anchor that is defined later", "a: *x\nb: &x 1\n", [["unknown-anchor", 1, 4]]],
    ["an alias inside its own anchor", "a: &x [1, *x]\n", [["recursive-alias", 1, 11]]],
    ["a NUL", "a: 1\nb: \u0000\n", [["control-character", 2, 4]]],
    ["an escape sequence of a terminal", "a: \u001b[31m\n", [["control-character", 1, 4]]],
    ["half a surrogate pair", "a: \ud800\n", [["control-character", 1, 4]]],
  ])("%s", (_name, text, expected) => {
    expect(found(text)).toEqual(expected);
  });

  test("bytes that are not UTF-8", () => {
    expect(found(Buffer.from([0x61, 0x3a, 0x20, 0x0a, 0x62, 0xff, 0xfe]))).toEqual([["not-utf8", 2, 2]]);
  });

  test("the places in a file with emoji, tabs and Windows line ends are those an editor shows", () => {
    expect(found("a: 🌊\r\nb: x\r\na: 1\r\n")).toEqual([["duplicate-key", 3, 1]]);
  });

  test("numbers as keys are the text that was written", () => {
    expect(readYaml("1.10: a\ntrue: b\n0x1F: c\n", "f").value).toEqual({
      "1.10": "a",
      true: "b",
      "0x1F": "c",
    });
  });

  test("a message never obeys a control character of the text that it quotes", () => {
    const text = '"\\e[31mred\\u202e": 1\n';
    const { diagnostics } = parseDigitalTwin(text, { file: "dt.yaml", folder: "a", user: "u" });
    const unknown = diagnostics.find(({ code }) => code === "unknown-field");
    expect(unknown?.message).toContain("\\u001b[31mred\\u202e");
    expect(JSON.stringify(diagnostics)).not.toMatch(/\u202e/);
  });
});

describe("limits hold before a hostile text can hurt", () => {
  test("a file is read up to its limit, in bytes, and no further", () => {
    const atLimit = `a: "${"ü".repeat((maxDocumentBytes - 6) / 2)}"`.padEnd(
      maxDocumentBytes - (maxDocumentBytes - 6) / 2,
      " ",
    );
    expect(Buffer.byteLength(atLimit)).toBe(maxDocumentBytes);
    expect(found(atLimit)).toEqual([]);
    expect(found(`${atLimit} `)).toEqual([["file-too-large", 1, 1]]);
  });

  test("32 levels are read, 33 are not, in every way to nest", () => {
    expect(found(`${"[".repeat(32)}${"]".repeat(32)}`)).toEqual([]);
    expect(found(`${"[".repeat(33)}${"]".repeat(33)}`)).toEqual([["too-deep", 1, 33]]);
    expect(found(`${"- ".repeat(33)}a`)).toEqual([["too-deep", 1, 65]]);
    expect(found(Array.from({ length: 33 }, (_, n) => `${" ".repeat(n)}a:`).join("\n"))).toEqual([
      ["too-deep", 33, 33],
    ]);
  });

  test("twenty-five thousand levels are refused before anything recurses into them", () => {
    expect(found("[".repeat(25_000))).toEqual([["too-deep", 1, 33]]);
    expect(found(`${"[".repeat(12_000)}${"]".repeat(12_000)}`)).toEqual([["too-deep", 1, 33]]);
  });

  test("a flood of comments is refused like one of values", () => {
    expect(found(`a: 1\n${"# c\n".repeat(10_000)}`)).toEqual([]);
    expect(found(`a: 1\n${"# c\n".repeat(20_000)}`)).toEqual([["too-many-values", 1, 1]]);
  });

  test("depth through aliases counts", () => {
    const chain = `a: &a ${"[".repeat(20)}x${"]".repeat(20)}\nb: ${"[".repeat(20)}*a${"]".repeat(20)}\n`;
    expect(found(chain).map(([code]) => code)).toEqual(["too-deep"]);
  });

  test("a hundred aliases are followed, a bomb of them is not", () => {
    const uses = (count: number) => `a: &a x\nb: [${Array.from({ length: count }, () => "*a").join(", ")}]\n`;
    expect(found(uses(100))).toEqual([]);
    expect(found(uses(101)).map(([code]) => code)).toEqual(["too-many-aliases"]);
    const wide = `a: &a [${"x,".repeat(200)}]\nb: [${Array.from({ length: 90 }, () => "*a").join(", ")}]\n`;
    expect(found(wide).map(([code]) => code)).toEqual(["too-many-values"]);
    const letters = "abcdefghij";
    const laughs = [...letters].map((name, n) => {
      const inside = n === 0 ? "ha,".repeat(9) : `*${letters[n - 1]},`.repeat(9);
      return `${name}: &${name} [${inside}]`;
    });
    expect(found(laughs.join("\n")).map(([code]) => code)).toEqual(["too-many-aliases"]);
  });

  test("too many values are refused", () => {
    expect(found(`[${"1,".repeat(9_900)}]`)).toEqual([]);
    expect(found(`[${"1,".repeat(10_001)}]`).map(([code]) => code)).toEqual(["too-many-values"]);
  });

  test.each<[string, string]>([
    ["brackets", "[".repeat(200_000)],
    ["braces", "{a: ".repeat(60_000)],
    ["dashes", "- ".repeat(100_000)],
    ["questions", "? ".repeat(14_000)],
    ["anchors", "&a ".repeat(14_000)],
    ["tags", "! ".repeat(14_000)],
    ["commas", `[${",".repeat(29_000)}`],
    ["closing brackets", "]".repeat(29_000)],
    ["quotes", "'".repeat(250_000)],
    ["strings", '"a" '.repeat(14_000)],
    ["documents", "---\n".repeat(9_000)],
    ["ends of documents", "...\n".repeat(14_000)],
    ["directives", "%A\n".repeat(14_000)],
    ["blank lines", "\n".repeat(250_000)],
    ["comments", "#\n".repeat(14_000)],
    ["keys", Array.from({ length: 4_900 }, (_, n) => `k${n}: ${n}`).join("\n")],
    ["the same key", "a: 1\n".repeat(4_900)],
    ["one long path", `spec: { assets: [{ model: "${"a/".repeat(120_000)}" }] }`],
    ["one path of dots", `spec: { assets: [{ model: "${".".repeat(240_000)}" }] }`],
    ["one long package", `spec: { workspace: { packages: { pip: ["a[${"a,".repeat(110_000)}"] } } }`],
    ["one long name", `spec: { dependsOn: ["${"a".repeat(240_000)}/"] }`],
    [
      "many unknown fields",
      `spec:\n${Array.from({ length: 4_900 }, (_, n) => `  integrationLeve${n}: 1`).join("\n")}`,
    ],
    ["many equal dependencies", `spec:\n  dependsOn:\n${"   - a\n".repeat(5_000)}`],
  ])("a file full of %s is answered in bounded time and space", (_name, text) => {
    const { document, diagnostics } = parseDigitalTwin(text, { file: "f", folder: "a", user: "u" });
    expect(document).toBeUndefined();
    expect(diagnostics.length).toBeGreaterThan(0);
    expect(diagnostics.length).toBeLessThanOrEqual(maxDiagnosticsPerDocument + 1);
    expect(Math.max(...diagnostics.map(({ message }) => message.length))).toBeLessThan(1000);
  });

  test("keys of every object's prototype are data like any other", () => {
    const { value } = readYaml("constructor: 1\ntoString: 2\nhasOwnProperty: 3\n", "f");
    expect(Object.entries(value as object)).toEqual([
      ["constructor", 1],
      ["toString", 2],
      ["hasOwnProperty", 3],
    ]);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test("beyond a hundred problems one line says that there are more", () => {
    const text = Array.from({ length: 300 }, (_, n) => `field${n}: 1`).join("\n");
    const { diagnostics } = parseDigitalTwin(text, { file: "f", folder: "a", user: "u" });
    expect(diagnostics).toHaveLength(maxDiagnosticsPerDocument);
    const twice = `${text}\n${text}`;
    expect(parseDigitalTwin(twice, { file: "f", folder: "a", user: "u" }).diagnostics.at(-1)).toMatchObject({
      code: "too-many-problems",
    });
  });
});

describe("after a syntax error", () => {
  test("further findings stand in the lines that an editor shows", () => {
    expect(found("  a:\n-0 b\nspec:\n'open\n").map(([, line, column]) => [line, column])).toContainEqual([
      3, 5,
    ]);
  });

  test("what stands before it is still checked, what follows is not guessed at", () => {
    const text = "apiVersion: dtaas/v1\nkidn: DigitalTwin\nspec: [\nmetadata: { name: a }\nstat: x\n";
    const { diagnostics } = parseDigitalTwin(text, { file: "f", folder: "a", user: "u" });
    expect(diagnostics[0]).toMatchObject({
      code: "unknown-field",
      line: 2,
      column: 1,
      hint: "did you mean `kind`?",
    });
    const first = diagnostics.find(({ code }) => code === "yaml-syntax");
    expect(first?.line).toBe(4);
    expect(diagnostics.filter(({ code, line }) => code !== "yaml-syntax" && line >= 4)).toEqual([]);
  });
});
