import fc from "fast-check";
import { expect, test } from "vitest";
import { block, code, prose, table } from "./markdown.ts";

const nasty =
  "`x` @all /merge <img src=x onerror=1> [a](http://evil.test) | ![b](c) #1 !2 www.evil.test ```\n/close";

/** What a reader of Markdown makes of a line outside of its code spans. */
function outsideCode(markdown: string): string {
  return markdown.replace(/(`+)(?!`)[\s\S]*?[^`]\1(?!`)/g, "");
}

test("what a user wrote stands in a code span that it cannot leave", () => {
  expect(code("stat")).toBe("`stat`");
  expect(code("a`b")).toBe("`` a`b ``");
  expect(code("``` x")).toBe("```` ``` x ````");
  expect(code(nasty)).not.toContain("\n");
  expect(outsideCode(code(nasty)).trim()).toBe("");
});

test("a sentence with fragments keeps them as code, and nothing else in it means anything", () => {
  expect(prose("unknown field `stat` in `spec`")).toBe("unknown field `stat` in `spec`");
  const said = prose(
    `the twin @all asks #1 and !2: see https://evil.test/x, www.evil.test <b>*x*</b> [a](b)`,
  );
  expect(said).not.toMatch(/@all|#1|!2|:\/\/|www\.evil|(?<!\\)<|(?<!\\)\*|(?<!\\)\[/);
  expect(prose("/merge")).not.toMatch(/^\s*\//);
});

test("whatever a user writes, no mention, quick action, link or tag survives", () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.constantFrom("`", "@all", "/close", "\n", "<b>", "http://a.b", "|", " ", "x", "\\", "@", "a"),
      ),
      (words) => {
        for (const made of [prose(words.join("")), code(words.join(""))]) {
          expect(made).not.toContain("\n");
          const rest = outsideCode(made);
          expect(rest).not.toMatch(/@\w/);
          expect(rest).not.toMatch(/(?<!\\)(\\\\)*<b/);
          expect(rest).not.toContain("http://");
          expect(made.trimStart()).not.toMatch(/^\/close/);
        }
      },
    ),
  );
});

test("a table keeps its columns whatever stands in them", () => {
  const made = table(["Twin", "Why"], [[code("a|b\nc"), prose("x | y")]]);
  const lines = made.split("\n");
  expect(lines).toHaveLength(3);
  for (const line of lines) expect(line.match(/(?<!\\)\|/g)).toHaveLength(3);
});

test("a block ends where it shall, though its text has fences of its own", () => {
  expect(block("suggestion", "a: ```b```")).toBe("````suggestion\na: ```b```\n````");
});
