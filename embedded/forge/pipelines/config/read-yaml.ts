import { parseAllDocuments, type ScalarTag } from "yaml";
import { type Plain, record } from "./plain.ts";

const maxAliasCount = 200; // aliases that hold aliases; more are a bomb

const reference = {
  tag: "!reference",
  collection: "seq" as const,
  resolve: (value: unknown) => value,
} as unknown as ScalarTag;

/**
 * A file of `.gitlab-ci.yml`'s language: what it says, and the inputs that a header before it declares. `undefined` for what is no YAML:
 * gitlab-ci-local is then left to say what is wrong.
 */
export function readCiYaml(text: string): { content: Plain; inputs: Plain } | undefined {
  try {
    const documents = parseAllDocuments(text, {
      customTags: [reference],
      merge: true,
      uniqueKeys: false,
      logLevel: "silent",
      version: "1.2",
    });
    if (!Array.isArray(documents)) return { content: {}, inputs: {} };
    const read = documents.map((document) => {
      if (document.errors.length > 0) throw document.errors[0];
      return record(document.toJS({ maxAliasCount }));
    });
    const [first = {}, second] = read;
    if (second === undefined || !("spec" in first)) return { content: first, inputs: {} };
    return { content: second, inputs: record(record(first["spec"])["inputs"]) };
  } catch {
    return undefined;
  }
}
