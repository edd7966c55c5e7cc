import fc from "fast-check";
import { expect, test } from "vitest";
import { html, trustedHtml } from "./html.ts";

test("whatever is put into markup is text there, in attributes too", () => {
  const evil = `"><script>alert('x')</script>&`;
  expect(html`<p title="${evil}">${evil}</p>`.text).toBe(
    `<p title="&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;">` +
      `&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;</p>`,
  );
});

test("no text brings a character of markup through, whatever it is", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const inside = html`${text}`.text.replaceAll(/&(amp|lt|gt|quot|#39);/g, "");
      expect(inside).not.toMatch(/[<>"'&]/);
    }),
  );
});

test("markup in markup stays, lists are joined, nothing stands for nothing", () => {
  const rows = ["a", "<b>"].map((text) => html`<li>${text}</li>`);
  expect(html`<ul>${rows}${undefined}${false}${null}${0}</ul>`.text).toBe(
    "<ul><li>a</li><li>&lt;b&gt;</li>0</ul>",
  );
  expect(html`${trustedHtml("<hr>")}`.text).toBe("<hr>");
});

test("what only looks like markup is none", () => {
  const fake = { text: "<script>" } as unknown as string;
  expect(html`${fake}`.text).not.toContain("<script>");
});
