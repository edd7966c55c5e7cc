import type { Comparison, PreviewState } from "../previews/previews.ts";
import { block, code, prose, table } from "./markdown.ts";

const maxPlots = 6; // of all twins together; the numbers of every comparison are told
const significant = 5; // digits

/** What previews have shown so far, in Markdown; nothing where there are none. Pure. */
export function previewSection(states: readonly PreviewState[], commit: string): string[] {
  if (states.length === 0) return [];
  const rows = states.map((state) => [code(state.twin), phaseWords(state, commit), runWords(state)]);
  const comparisons = states.flatMap((state) =>
    state.comparisons.map((one) => ({ twin: state.twin, ...one })),
  );
  const plots = comparisons
    .filter(({ live, preview }) => live.length > 1 && preview.length > 1)
    .slice(0, maxPlots);
  return [
    "#### Previews",
    table(["Twin", "Preview", "Operations"], rows),
    ...(comparisons.length === 0
      ? []
      : [
          table(
            ["Twin", "Compared", "Result", "Rows", "Largest difference", "Mean difference", "Tolerance"],
            comparisons.map(comparisonRow),
          ),
        ]),
    ...plots.flatMap(({ twin, ...one }) => [
      `${code(twin)}, ${code(one.column)}: the last run of the live twin first, then the preview.`,
      block("mermaid", plot(twin, one)),
    ]),
  ];
}

function phaseWords({ phase, reason, commit: of }: PreviewState, commit: string): string {
  const old = of === commit ? "" : ` of ${code(of.slice(0, 8))}, an older state`;
  const said = phase === "failed" ? "**failed**" : phase;
  return `${said}${old}${reason === undefined ? "" : `: ${prose(reason)}`}`;
}

function runWords({ runs }: PreviewState): string {
  return runs
    .map(({ operation, exitCode, durationMs }) => {
      const took = durationMs === undefined ? "" : ` after ${seconds(durationMs)}`;
      const ended = exitCode === undefined ? "" : ` ended with ${exitCode}${took}`;
      return `${code(operation)}${ended}`;
    })
    .join(", ");
}

function comparisonRow(one: Comparison & { twin: string }): string[] {
  const result = { pass: "pass", fail: "**fail**", "cannot-compare": "not compared" }[one.verdict];
  const at = one.atRow === undefined ? "" : ` (row ${one.atRow})`;
  return [
    code(one.twin),
    `${code(one.file)}: ${code(one.column)}`,
    one.reason === undefined ? result : `${result}: ${prose(one.reason)}`,
    String(one.rows),
    one.maxDifference === undefined ? "" : `${number(one.maxDifference)}${at}`,
    one.meanDifference === undefined ? "" : number(one.meanDifference),
    number(one.tolerance),
  ];
}

/** A chart for hosts that draw Mermaid; where it is not drawn, its text is two rows of numbers. */
function plot(twin: string, { column, live, preview }: Comparison): string {
  const values = [...live, ...preview].filter(Number.isFinite);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const room = (most - least) * 0.05 || Math.abs(most) * 0.05 || 1;
  const line = (points: readonly number[]) =>
    `  line [${points.filter(Number.isFinite).map(number).join(", ")}]`;
  return [
    "xychart-beta",
    `  title "${chartText(twin)}: ${chartText(column)}"`,
    `  x-axis "point" 1 --> ${Math.max(live.length, preview.length)}`,
    `  y-axis "${chartText(column)}" ${number(least - room)} --> ${number(most + room)}`,
    line(live),
    line(preview),
  ].join("\n");
}

/** Letters and the like only: anything else could end the title and begin another statement. */
function chartText(text: string): string {
  return text.replace(/[^\p{L}\p{N} ._()-]/gu, " ").slice(0, 60);
}

/** Plain digits: Mermaid reads no exponents. */
function number(value: number): string {
  if (!Number.isFinite(value)) return "0";
  const rounded = Number(value.toPrecision(significant));
  const text = String(rounded);
  return text.includes("e") ? rounded.toFixed(20).replace(/\.?0+$/, "") || "0" : text;
}

function seconds(ms: number): string {
  return `${Number((ms / 1_000).toPrecision(3))} s`;
}
