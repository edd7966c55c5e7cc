import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { LineCounter, parseDocument } from "yaml";
import { packageRoot } from "#core/package-root";
import { parseDigitalTwin } from "#schemas/parse-digital-twin";
import { measure, percentile } from "./report/measure.ts";
import { numberArgument, progress, report } from "./report/report.ts";

// The full example document of docs/dsl.md, filled up to 3 KB with more of what it holds: validate [times]. One core.

const minPerSecond = 800;
const documentBytes = 3 * 1024;
const warmUps = 300;
const times = numberArgument(0, 3_000);

const reference = await readFile(join(packageRoot, "docs", "dsl.md"), "utf8");
const example = /```yaml\n(apiVersion: dtaas\/v1\nkind: DigitalTwin\n.*?)```/s.exec(reference)?.[1] ?? "";
const document = fillUp(example);
const folder = /^ {2}name: (\S+)$/m.exec(document)?.[1] ?? "";
const scripts = ["create", "execute", "save", "terminate"];
const ours = () => parseDigitalTwin(document, { file: "dt.yaml", folder, user: "user1", scripts });
const yamlAlone = () => parseDocument(document, { lineCounter: new LineCounter() });

const { diagnostics, document: twin } = ours();
if (twin === undefined || diagnostics.length > 0) throw new Error(JSON.stringify(diagnostics));
progress(`${Buffer.byteLength(document)} bytes, ${document.split("\n").length} lines, ${times} times`);
await measure(warmUps, ours);
await measure(warmUps, yamlAlone);
const { spentMs, perSecond: value } = await onOneCore(ours);
const alone = await onOneCore(yamlAlone);
report({
  name: `validate: the example document at ${Buffer.byteLength(document)} bytes, with positions, one core`,
  ...{ value, unit: "documents per second of processor time" },
  reference: alone.perSecond,
  aim: `at least ${minPerSecond} a second`,
  met: value >= minPerSecond,
  more: { wallP50Ms: percentile(spentMs, 0.5), wallP99Ms: percentile(spentMs, 0.99) },
});

/** Counts by processor time, garbage collection included: what else runs on the machine does not change it. */
async function onOneCore(task: () => unknown): Promise<{ spentMs: number[]; perSecond: number }> {
  const before = process.cpuUsage();
  const spentMs = await measure(times, task);
  const { user, system } = process.cpuUsage(before);
  return { spentMs, perSecond: (times * 1_000_000) / (user + system) };
}

/** More variables in `environment`, each on a line of its own, until the document is as large as it is to be. */
function fillUp(text: string): string {
  const lines: string[] = [];
  const missing = documentBytes - Buffer.byteLength(text);
  for (let bytes = 0, n = 1; bytes < missing; n += 1) {
    const line = `    SETTING_${n}: "value number ${n} of this twin"`;
    lines.push(line);
    bytes += line.length + 1;
  }
  return text.replace(/^ {2}environment: \{ (.*) \}$/m, (_, inner: string) => {
    const given = inner.split(", ").map((pair) => `    ${pair}`);
    return ["  environment:", ...given, ...lines].join("\n");
  });
}
