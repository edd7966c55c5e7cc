import { expect, test } from "vitest";
import { renderMarkdown } from "./markdown.ts";

test("markup in a text is text, but for what only hides or folds", () => {
  const text =
    "<!-- dtaas:review -->\n**bold** <b>x</b>\n\n<details><summary>More</summary>\n\ninside\n\n</details>\n\n`<!-- shown -->`";
  const { text: shown } = renderMarkdown(text);
  expect(shown).toContain("<strong>bold</strong> &lt;b&gt;x&lt;/b&gt;");
  expect(shown).toContain("More");
  expect(shown).toContain("<code>&lt;!-- shown --&gt;</code>");
  expect(shown).not.toMatch(/dtaas:review|<details|<summary/);
});

test.each([
  "[a](javascript:alert(1))",
  "[a](JaVaScRiPt:alert(1))",
  "[a](data:text/html;base64,PHNjcmlwdD4=)",
  "<javascript:alert(1)>",
  '[a](http://x" onmouseover="alert(1))',
  "![a](x onerror=alert(1))",
  "<details ontoggle=alert(1) open>",
  "<sub onclick=alert(1)>",
  "<br/onload=alert(1)>",
  "<!-- --><script>alert(1)</script>",
  "<!--><img src=x onerror=alert(1)>-->",
  "<scr<!-- -->ipt>alert(1)</scr<!-- -->ipt>",
  "<scr<br>ipt>alert(1)</script>",
  "| a |\n|---|\n| <script>alert(1)</script> |",
  '```html" onload="alert(1)\n<script>\n```',
])("nothing runs: %s", (text) => {
  const { text: shown } = renderMarkdown(text, "/team/one/-/blob/main/");
  const allowed =
    /<\/?(?:p|a|code|pre|span|table|thead|tbody|tr|th|td|strong|em|br)(?: (?:href|rel|class|title)="[^"<>]*")*\s*\/?>/g;
  expect(shown.replaceAll(allowed, "")).not.toMatch(/[<>]/);
  for (const [, href = ""] of shown.matchAll(/href="([^"]*)"/g)) {
    expect(href).not.toMatch(/^\s*(javascript|data|vbscript):/i);
  }
});

test("long and odd texts are rendered soon, or as they are", () => {
  for (const text of [
    "<!--".repeat(40_000),
    "[".repeat(150_000),
    "*a ".repeat(60_000),
    "> ".repeat(50_000),
    "<details>".repeat(20_000),
  ]) {
    const startedAt = performance.now();
    renderMarkdown(text);
    expect(performance.now() - startedAt, text.slice(0, 10)).toBeLessThan(3_000);
  }
  expect(renderMarkdown("# a\n".repeat(100_000)).text).toMatch(/^<pre/);
});
