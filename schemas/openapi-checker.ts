import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";

interface Described {
  responses: Record<string, { content?: Record<string, unknown> }>;
}

/** Holds HTTP answers against an OpenAPI 3.1 document. */
export class OpenApiChecker {
  readonly #paths: Record<string, Record<string, Described>>;
  readonly #ajv: Ajv2020;
  readonly #compiled = new Map<string, ValidateFunction>();

  /** Fields that the document does not name count as problems, too. */
  constructor(document: { paths: object }) {
    const exact = structuredClone(document);
    closeObjects(exact);
    this.#paths = exact.paths as Record<string, Record<string, Described>>;
    this.#ajv = new Ajv2020({ strict: false, allErrors: true });
    addFormats.default(this.#ajv);
    this.#ajv.addSchema(exact, "openapi");
  }

  /** `METHOD /path/{parameter}` of every operation. */
  operations(): string[] {
    return Object.entries(this.#paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
  }

  /** What is wrong with an answer; nothing when it is as described. `path` is relative to the server's. */
  problems(answer: { method: string; path: string; status: number; type: string; body: string }): string[] {
    const method = answer.method.toLowerCase();
    const found = Object.keys(this.#paths).filter((path) => matches(path, answer.path));
    const template = found.sort((a, b) => a.split("{").length - b.split("{").length)[0];
    const described = template === undefined ? undefined : this.#paths[template]?.[method];
    if (template === undefined || !described) return [`${answer.method} ${answer.path} is not described`];
    const content = described.responses[String(answer.status)]?.content;
    if (!content) return [`${answer.method} ${template} does not describe status ${answer.status}`];
    const type = answer.type.split(";", 1)[0] ?? "";
    if (!(type in content))
      return [`${answer.method} ${template} ${answer.status} does not describe ${type}`];
    if (!type.endsWith("json") || type === "application/x-ndjson") return [];
    const pointer = ["paths", template, method, "responses", String(answer.status), "content", type, "schema"]
      .map((part) => part.replaceAll("~", "~0").replaceAll("/", "~1"))
      .map(encodeURIComponent)
      .join("/");
    const validate = this.#compiled.get(pointer) ?? this.#ajv.compile({ $ref: `openapi#/${pointer}` });
    this.#compiled.set(pointer, validate);
    if (validate(JSON.parse(answer.body))) return [];
    return (validate.errors ?? []).map(
      (error) => `${answer.method} ${template} ${answer.status}: ${error.instancePath} ${error.message}`,
    );
  }
}

function matches(template: string, path: string): boolean {
  const isDeep = template.endsWith("/{path}"); // may have several segments
  const wanted = template.split("/");
  const given = path.split("/");
  if (isDeep ? given.length < wanted.length : given.length !== wanted.length) return false;
  return wanted.every((part, index) => part.startsWith("{") || part === given[index]);
}

function closeObjects(value: unknown): void {
  if (typeof value !== "object" || value === null) return;
  const record = value as Record<string, unknown>;
  if (record["type"] === "object" && record["properties"] !== undefined)
    record["additionalProperties"] ??= false;
  for (const child of Object.values(record)) closeObjects(child);
}
