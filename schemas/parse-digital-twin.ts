import { checkPreview } from "./check-preview.ts";
import { checkSchedule } from "./check-schedule.ts";
import { builtInDefaults, type TwinDefaults } from "./defaults.ts";
import type { Diagnostic } from "./diagnostic.ts";
import type { DigitalTwin } from "./generated/digital-twin.ts";
import { fullTwinName, normaliseTwin } from "./normalise-twin.ts";
import { isOperationName } from "./operation-name.ts";
import { maxParameterBytes } from "./parameters.ts";
import { type Find, hasErrors, parseDocument } from "./parse-document.ts";
import { listOf, recordOf } from "./plain-data.ts";
import { quote } from "./quote.ts";
import { didYouMean } from "./suggest.ts";
import type { TwinDocument } from "./twin-spec.ts";
import { findUnknownTemplate } from "./unknown-template.ts";
import type { Locate } from "./yaml-document.ts";

export interface ParseTwinOptions {
  /** Path of dt.yaml inside the repository, for diagnostics. */
  file: string;
  /** Name of the twin's folder, such as `incubator`; `metadata.name` must be the same. */
  folder: string;
  /** Whose repository it is: `dependsOn: [tank]` means `<user>/tank`. */
  user: string;
  /** What the twin inherits. Default: what is built in. */
  defaults?: TwinDefaults;
  /** Executable scripts in the twin's `lifecycle/` folder: its operations when the document names none. */
  scripts?: readonly string[];
  /** Workspace templates of this installation, where they are known: any other is an error. */
  templates?: readonly string[];
}

export interface ParsedTwin {
  /** The normalised document; absent when there is an error. */
  document?: TwinDocument;
  diagnostics: Diagnostic[];
  /** Where a value of the document stands, for findings that come later. */
  locate: Locate;
  /** What comes from outside the document: its image (no template of its own), its operations (no `lifecycle`). */
  inherits: { workspace: boolean; lifecycle: boolean };
}

/**
 * Reads one dt.yaml. All problems are reported in one pass, in the order of the text. Pure; never throws, whatever
 * the input.
 */
export function parseDigitalTwin(input: string | Uint8Array, options: ParseTwinOptions): ParsedTwin {
  const { file, folder, user, defaults = builtInDefaults, scripts = [] } = options;
  const { yaml, diagnostics } = parseDocument(input, {
    file,
    schema: "digital-twin",
    check: (value, find) => checkTwin(value, { ...options, scripts }, find),
  });
  const spec = recordOf(recordOf(yaml.value)?.["spec"]);
  const inherits = {
    workspace: recordOf(spec?.["workspace"])?.["template"] === undefined,
    lifecycle: spec?.["lifecycle"] === undefined,
  };
  if (hasErrors(diagnostics)) return { diagnostics, locate: yaml.locate, inherits };
  const written = (name: string) => yaml.source(`/spec/environment/${name}`);
  const document = normaliseTwin(yaml.value as DigitalTwin, { folder, user, defaults, scripts, written });
  return { document, diagnostics, locate: yaml.locate, inherits };
}

type CheckOptions = ParseTwinOptions & { scripts: readonly string[] };

/** What no schema can say. The value may break its schema anywhere: nothing is taken for granted. */
function checkTwin(value: unknown, options: CheckOptions, find: Find): void {
  const root = recordOf(value);
  const spec = recordOf(root?.["spec"]);
  checkName(recordOf(root?.["metadata"])?.["name"], options.folder, find);
  if (spec === undefined) return;
  checkState(spec, options.scripts, find);
  checkDependencies(spec["dependsOn"], options, find);
  checkHealth(spec["health"], find);
  checkSecrets(spec, find);
  checkParameters(spec["parameters"], find);
  checkSchedule(spec, options.scripts, find);
  checkPreview(spec, options.scripts, find);
  findUnknownTemplate(recordOf(spec["workspace"])?.["template"], "/spec/workspace/template", options, find);
}

function checkName(name: unknown, folder: string, find: Find): void {
  if (typeof name !== "string" || name === folder) return;
  find({
    code: "name-not-folder",
    pointer: "/metadata/name",
    message: `the twin is called ${quote(name)}, but its folder ${quote(folder)}`,
    hint: `write \`name: ${folder}\`, or rename the folder`,
  });
}

function checkState(spec: Record<string, unknown>, scripts: readonly string[], find: Find): void {
  const lifecycle = recordOf(spec["lifecycle"]);
  if (spec["lifecycle"] !== undefined && lifecycle === undefined) return;
  const operations = lifecycle === undefined ? scripts.filter(isOperationName) : Object.keys(lifecycle);
  if (spec["state"] === "running" && !operations.includes("execute")) {
    const source =
      lifecycle === undefined
        ? "there is no executable script `lifecycle/execute`"
        : "`spec.lifecycle` has none";
    find({
      code: "execute-missing",
      pointer: "/spec/state",
      message: `a running twin needs the operation \`execute\`, and ${source}`,
      hint: didYouMean("execute", operations) ?? "add it, or write `state: stopped`",
    });
  } else if (operations.length === 0) {
    find({
      code: "no-operations",
      severity: "warning",
      pointer: lifecycle === undefined ? "/spec" : "/spec/lifecycle",
      part: "key",
      message: "the twin has no operations: nothing can be run",
      hint: "add executable scripts to `lifecycle/`, or name operations under `spec.lifecycle`",
    });
  }
}

function checkDependencies(dependsOn: unknown, options: CheckOptions, find: Find): void {
  const { user, folder } = options;
  const seen = new Map<string, string>();
  for (const [index, target] of (listOf(dependsOn) ?? []).entries()) {
    if (typeof target !== "string") continue;
    const name = fullTwinName(target, user);
    const pointer = `/spec/dependsOn/${index}`;
    const earlier = seen.get(name);
    if (name === `${user}/${folder}`) {
      find({
        code: "depends-on-itself",
        pointer,
        message: "the twin depends on itself",
        hint: "remove this entry",
      });
    } else if (earlier !== undefined && earlier !== target) {
      const message = `${quote(target)} and ${quote(earlier)} are the same twin`;
      find({ code: "duplicate-item", pointer, message, hint: "keep one of them" });
    }
    seen.set(name, earlier ?? target);
  }
}

function checkParameters(value: unknown, find: Find): void {
  const bytes = value === undefined ? 0 : Buffer.byteLength(JSON.stringify(value));
  if (bytes <= maxParameterBytes) return;
  find({
    code: "parameters-too-large",
    pointer: "/spec/parameters",
    part: "key",
    message: `the parameters have ${bytes} bytes as JSON; at most ${maxParameterBytes} are handed to a run`,
    hint: "put large data into a file below data/ and give its path as a parameter",
  });
}

function checkHealth(value: unknown, find: Find): void {
  const health = recordOf(value);
  if (health === undefined) return;
  const kinds = ["http", "exec"].filter((kind) => Object.hasOwn(health, kind));
  if (kinds.length === 1) return;
  find({
    code: "exactly-one",
    pointer: kinds.length === 0 ? "/spec/health" : "/spec/health/exec",
    part: "key",
    message: `\`spec.health\` must have exactly one of http or exec, and has ${kinds.length === 0 ? "none" : "both"}`,
    hint: kinds.length === 0 ? "for example: http: { port: 8000, path: /healthz }" : "keep one of them",
  });
}

/** One name, one entry; and what comes as an environment variable must not stand under `environment` as well. */
function checkSecrets(spec: Record<string, unknown>, find: Find): void {
  const environment = recordOf(spec["environment"]) ?? {};
  const seen = new Map<string, Set<string>>(); // the entries of each name, as JSON
  for (const [index, secret] of (listOf(spec["secrets"]) ?? []).entries()) {
    const fields = recordOf(secret);
    const name = fields === undefined ? secret : fields["name"];
    if (typeof name !== "string") continue;
    const pointer = `/spec/secrets/${index}`;
    const earlier = seen.get(name) ?? new Set();
    const text = JSON.stringify(secret);
    // The very same entry twice is reported by the schema.
    if (earlier.size > 0 && !earlier.has(text)) {
      const message = `the secret ${quote(name)} stands in \`spec.secrets\` more than once`;
      find({ code: "duplicate-item", pointer, message, hint: "keep one of them" });
    } else if (fields?.["env"] === true && Object.hasOwn(environment, name)) {
      find({
        code: "name-taken",
        pointer,
        message: `${quote(name)} stands under \`spec.environment\`, too`,
        hint: "keep one of them; a secret does not belong in Git",
      });
    }
    seen.set(name, earlier.add(text));
  }
}
