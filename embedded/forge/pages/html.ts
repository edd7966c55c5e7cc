const escapes: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

/** Text that is markup already. Nothing but `html` and `trustedHtml` makes one. */
export class Html {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What may stand in a template. Nothing stands there for `undefined`, `null` and `false`. */
export type Piece = Html | string | number | undefined | null | false | readonly Piece[];

/** Markup with values in it; whatever is no markup yet is escaped. Attributes have to stand in quotes. */
export function html(markup: TemplateStringsArray, ...values: Piece[]): Html {
  let text = "";
  markup.forEach((part, index) => {
    text += part + textOf(values[index]);
  });
  return new Html(text);
}

/** Takes a text for markup. Only for what a library has escaped; whoever calls it says which. */
export function trustedHtml(text: string): Html {
  return new Html(text);
}

function textOf(value: Piece): string {
  if (value === undefined || value === null || value === false) return "";
  if (value instanceof Html) return value.text;
  if (Array.isArray(value)) return value.map(textOf).join("");
  return String(value).replace(/[&<>"']/g, (character) => escapes[character] ?? "");
}
