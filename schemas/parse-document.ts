import { compileSchema } from "./compile-schema.ts";
import type { Diagnostic } from "./diagnostic.ts";
import { maxDiagnosticsPerDocument } from "./limits.ts";
import { schemaDiagnostics } from "./schema-diagnostics.ts";
import { readYaml, type YamlDocument } from "./yaml-document.ts";

/** Adds a finding of its own to those of YAML and schema: at a JSON pointer of the document. */
export type Find = (finding: {
  code: string;
  pointer: string;
  part?: "key" | "value";
  severity?: "error" | "warning";
  message: string;
  hint?: string | undefined;
}) => void;

export interface ParsedYaml {
  yaml: YamlDocument;
  diagnostics: Diagnostic[];
}

/**
 * Reads a document and checks it against the schema of this name, then lets `check` look at what no schema can say.
 * All problems come in one list, in the order of the text. Never throws, whatever the input.
 */
export function parseDocument(
  input: string | Uint8Array,
  options: { file: string; schema: string; check?: (value: unknown, find: Find) => void },
): ParsedYaml {
  const { file } = options;
  const yaml = readYaml(input, file);
  const diagnostics = [...yaml.diagnostics];
  if (yaml.value !== undefined) {
    const found = schemaDiagnostics(yaml, file, compileSchema(options.schema));
    options.check?.(yaml.value, (finding) => {
      found.push({
        code: finding.code,
        severity: finding.severity ?? "error",
        file,
        ...yaml.locate(finding.pointer, finding.part),
        message: finding.message,
        ...(finding.hint === undefined ? {} : { hint: finding.hint }),
      });
    });
    diagnostics.push(...trusted(found, yaml.brokenFromLine));
  }
  return { yaml, diagnostics: tidy(diagnostics, file) };
}

/** After a syntax error the rest of the text may have been misread: only what stands before it is reported. */
function trusted(found: Diagnostic[], brokenFromLine: number | undefined): Diagnostic[] {
  if (brokenFromLine === undefined) return found;
  return found.filter(({ code, line }) => code !== "missing-field" && line < brokenFromLine);
}

/** In the order of the text, each finding once, not endlessly many. */
function tidy(diagnostics: Diagnostic[], file: string): Diagnostic[] {
  const seen = new Set<string>();
  const unique = diagnostics.filter(({ code, line, column, message }) => {
    const key = `${line}:${column}:${code}:${message}`;
    return !seen.has(key) && seen.add(key);
  });
  unique.sort((a, b) => a.line - b.line || a.column - b.column);
  const last = unique[maxDiagnosticsPerDocument - 1];
  if (unique.length <= maxDiagnosticsPerDocument || last === undefined) return unique;
  const message = `there are more problems than the ${maxDiagnosticsPerDocument} reported`;
  const place = { line: last.line, column: last.column };
  return [
    ...unique.slice(0, maxDiagnosticsPerDocument),
    { code: "too-many-problems", severity: "error", file, ...place, message, hint: "mend these first" },
  ];
}

/** True when one of the findings is an error, not only a warning. */
export function hasErrors(diagnostics: readonly Diagnostic[]): boolean {
  return diagnostics.some(({ severity }) => severity === "error");
}
