import MarkdownIt from "markdown-it";
import { type Html, html, trustedHtml } from "./html.ts";

const maxRendered = 200 * 1024; // characters; a longer text is shown as it is

// `html: false` escapes markup in the text, and the library's own check lets no `javascript:` into a link.
const markdown = new MarkdownIt({ html: false, linkify: false, typographer: false });

// Pages load nothing from elsewhere: of an image its description is left.
markdown.renderer.rules.image = (tokens, index) =>
  html`<span class="soft">[image: ${tokens[index]?.content ?? ""}]</span>`.text;

markdown.renderer.rules.link_open = (tokens, index, options, env, renderer) => {
  const token = tokens[index];
  const href = String(token?.attrGet("href") ?? "");
  const base: unknown = (env as { base?: unknown } | undefined)?.base;
  const isRelative = !/^([a-z][a-z0-9+.-]*:|\/|#)/i.test(href);
  if (typeof base === "string" && isRelative) token?.attrSet("href", base + href);
  token?.attrSet("rel", "nofollow noopener noreferrer");
  return renderer.renderToken(tokens, index, options);
};

const plainTag = /^<\/?(?:details|summary|sub|sup|br) ?\/?>/i;

// Programs mark their comments with `<!-- ... -->` and fold them with `<details>`: neither is shown. All other markup is text.
markdown.inline.ruler.push("unseen", (state) => {
  if (state.src.charCodeAt(state.pos) !== 0x3c) return false;
  const rest = state.src.slice(state.pos, state.pos + 20);
  const tag = plainTag.exec(rest)?.[0];
  if (tag !== undefined) {
    state.pos += tag.length;
    return true;
  }
  const env = state.env as { hasNoEnd?: boolean } | undefined;
  if (!rest.startsWith("<!--") || env?.hasNoEnd) return false;
  const end = state.src.indexOf("-->", state.pos + 4);
  if (end < 0) {
    if (env) env.hasNoEnd = true; // or each further one would look through all the rest again
    return false;
  }
  state.pos = end + 3;
  return true;
});

/** A text of a user as they meant it to look. `base`: address of the folder that links without a host are in. */
export function renderMarkdown(text: string, base?: string): Html {
  if (text.length > maxRendered) return html`<pre class="log">${text}</pre>`;
  return trustedHtml(markdown.render(text, base === undefined ? {} : { base }));
}
