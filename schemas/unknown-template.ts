import type { Find } from "./parse-document.ts";
import { quote } from "./quote.ts";
import { didYouMean } from "./suggest.ts";

/** Reports a workspace template that this installation does not have, where its templates are known. */
export function findUnknownTemplate(
  template: unknown,
  pointer: string,
  known: { templates?: readonly string[] | undefined },
  find: Find,
): void {
  const { templates } = known;
  if (typeof template !== "string" || templates === undefined || templates.includes(template)) return;
  find({
    code: "unknown-template",
    pointer,
    message: `there is no workspace template ${quote(template)}`,
    hint: didYouMean(template, templates) ?? `known: ${templates.join(", ")}`,
  });
}
