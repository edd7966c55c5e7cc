import type { Diagnostic } from "#schemas/diagnostic";
import { countDiagnostics } from "#schemas/format-diagnostics";
import type { PreviewState } from "../previews/previews.ts";
import { code, prose, table } from "./markdown.ts";
import { withMark } from "./marker.ts";
import { previewSection } from "./preview-section.ts";
import type { NamedTwins } from "./touched-twins.ts";
import type { AssetChange, ImageChange, TwinChange } from "./twin-changes.ts";

const maxRows = 50; // of each table; what is left out is counted

/** Everything that a comment tells; users' words in it are as they wrote them. */
export interface ReviewFindings {
  /** What was looked at: the result of merging, or the branch's own head where it conflicts. */
  commit: string;
  isMergeResult: boolean;
  targetBranch: string;
  /** Why nothing could be looked at: the rest is empty then. */
  refusal?: string;
  /** New with this merge request, worst first. */
  problems: readonly Diagnostic[];
  /** Those of them that no thread stands for. */
  unthreaded: readonly Diagnostic[];
  /** Errors that the target branch has already. */
  knownErrors: number;
  /** Twins of others that would have an error. */
  brokenOthers: NamedTwins;
  twinsValidated: number;
  /** Absent where it is not one user's own twins that are changed. */
  plan?: { changes: readonly TwinChange[]; staying: number };
  /** How many users' twins were not looked at, because there are so many. */
  usersLeftOut: number;
  images: readonly ImageChange[];
  assets: readonly AssetChange[];
  widening: readonly string[];
  touched: NamedTwins;
  observedAt: string | undefined;
  previews: readonly PreviewState[];
  /** Said about previews: why there are none, or what they wait for. */
  previewRemark?: string;
}

/** Does anything keep this from being merged, as far as we know? Pure. */
export function isBroken(findings: Pick<ReviewFindings, "problems" | "refusal" | "brokenOthers">): boolean {
  const { problems, refusal, brokenOthers } = findings;
  const others = brokenOthers.named.length + brokenOthers.unnamed;
  return refusal !== undefined || others > 0 || problems.some(({ severity }) => severity === "error");
}

/** The one comment on a merge request. Pure. */
export function reviewComment(findings: ReviewFindings): string {
  const parts = [
    heading(findings),
    looked(findings),
    ...bold("Access gets wider", findings.widening),
    ...touchedTwins(findings),
    ...planned(findings),
    ...images(findings.images),
    ...mounts(findings.assets),
    ...problems(findings),
    ...previewSection(findings.previews, findings.commit),
    ...(findings.previewRemark === undefined ? [] : [prose(findings.previewRemark)]),
    commands,
    seen(findings.observedAt),
  ];
  return withMark("review", parts.join("\n\n"));
}

const seenBegin = "<!-- seen -->";
const seenEnd = "<!-- /seen -->";

/** Do two comments say the same? When the observation was made is left out: it alone is no reason to edit. Pure. */
export function saysTheSame(a: string, b: string): boolean {
  const essence = (text: string) =>
    text
      .replaceAll("\r\n", "\n")
      .replace(new RegExp(`${seenBegin}[\\s\\S]*?${seenEnd}`), "")
      .trim();
  return essence(a) === essence(b);
}

function heading(findings: ReviewFindings): string {
  if (findings.refusal !== undefined)
    return `### Digital twins: cannot be looked at\n\n${prose(findings.refusal)}`;
  if (!isBroken(findings)) return "### Digital twins: ready to merge";
  const others = findings.brokenOthers.named.length + findings.brokenOthers.unnamed;
  const own = findings.problems.length === 0 ? "" : countDiagnostics(findings.problems);
  const theirs = others === 0 ? "" : `${others} ${others === 1 ? "twin" : "twins"} of others broken`;
  return `### Digital twins: ${[own, theirs].filter(Boolean).join(", ")}`;
}

function looked({
  commit,
  isMergeResult,
  targetBranch,
  twinsValidated,
  knownErrors,
  refusal,
}: ReviewFindings): string {
  if (refusal !== undefined) return "";
  const what = isMergeResult
    ? `The result of merging into ${code(targetBranch)} (${code(commit.slice(0, 8))})`
    : `**It conflicts with ${code(targetBranch)}**: the branch itself (${code(commit.slice(0, 8))})`;
  const known =
    knownErrors === 0 ? "" : ` Errors that ${code(targetBranch)} has already are left out: ${knownErrors}.`;
  return `${what} was validated: ${twinsValidated} ${twinsValidated === 1 ? "twin" : "twins"}.${known}`;
}

function bold(title: string, sentences: readonly string[]): string[] {
  if (sentences.length === 0) return [];
  return [`#### ${title}`, list(sentences.map((sentence) => `**${prose(sentence)}**`))];
}

function touchedTwins({
  touched: { named, unnamed },
  usersLeftOut,
  plan,
  refusal,
}: ReviewFindings): string[] {
  if (refusal !== undefined) return [];
  const leftOut =
    usersLeftOut === 0 ? [] : [`${usersLeftOut} further users were not looked at: there are too many.`];
  if (named.length + unnamed === 0) {
    return plan ? [] : ["#### Twins of users", "Nothing happens to any twin.", ...leftOut];
  }
  const rest = `**${unnamed} ${unnamed === 1 ? "twin" : "twins"} of other users**, not to be named to everybody who reads this`;
  const items = named.map(
    ({ user, twin, what }) => `**${code(`${user}/${twin}`)} of another user** ${prose(what)}`,
  );
  return [
    "#### Twins of other users",
    list(unnamed === 0 ? items : [...items.slice(0, maxRows - 1), rest]),
    ...leftOut,
  ];
}

const actionWords: Record<TwinChange["action"], string> = {
  start: "starts",
  restart: "restarts",
  stop: "stops",
  remove: "is removed",
  keep: "goes on",
  wait: "waits",
  refuse: "is not run",
};

function planned({ plan, refusal }: ReviewFindings): string[] {
  if (refusal !== undefined || plan === undefined) return [];
  const { changes, staying } = plan;
  const users = new Set(changes.map(({ user }) => user));
  const name = ({ user, twin }: TwinChange) => code(users.size > 1 ? `${user}/${twin}` : twin);
  const stay = `${staying} ${staying === 1 ? "twin stays" : "twins stay"} as they are.`;
  if (changes.length === 0)
    return ["#### Plan", staying === 0 ? "Nothing happens to any twin." : `Nothing changes: ${stay}`];
  const rows = changes.map((change) => [
    name(change),
    actionWords[change.action],
    [
      prose(change.reason),
      ...(change.parts.length === 0 ? [] : [change.parts.map((part) => code(part)).join(", ")]),
    ].join("; "),
  ]);
  return ["#### Plan", cut(["Twin", "What happens", "Why"], rows), ...(staying === 0 ? [] : [stay])];
}

function images(found: readonly ImageChange[]): string[] {
  if (found.length === 0) return [];
  const words = (image: ImageChange["after"] | undefined) => {
    if (image === undefined) return "none";
    const { template, packages } = image;
    return [template, ...packages.apt, ...packages.pip].map((word) => code(word)).join(" ");
  };
  const rows = found.map(({ twin, before, after }) => [code(twin), words(before), words(after)]);
  return ["#### Images", cut(["Twin", "Before", "Is built or reused"], rows)];
}

function mounts(found: readonly AssetChange[]): string[] {
  if (found.length === 0) return [];
  const rows = found.map(({ path, change, from }) => [code(`common/${path}`), change, code(from)]);
  return ["#### Shared assets", cut(["Asset", "Change", "Repository"], rows)];
}

function problems({ problems: all, unthreaded, brokenOthers, refusal }: ReviewFindings): string[] {
  const threads = all.length - unthreaded.length;
  const { named, unnamed } = brokenOthers;
  const others = named.map(({ user, twin, what }) => `**${code(`${user}/${twin}`)}**: ${prose(what)}`);
  if (unnamed > 0)
    others.push(`**${unnamed} ${unnamed === 1 ? "twin" : "twins"} of other users** would have errors`);
  if (refusal !== undefined) return [];
  if (all.length + others.length === 0) return ["#### Validation", "No problems."];
  const rows = unthreaded.map((one) => [
    `${code(one.file)}:${one.line}:${one.column}`,
    `${one.severity === "error" ? "**error**" : "warning"} ${code(one.code)}`,
    `${prose(one.message)}${one.hint === undefined ? "" : `; ${prose(one.hint)}`}`,
  ]);
  return [
    "#### Validation",
    ...(threads === 0
      ? []
      : [`${threads} ${threads === 1 ? "problem has its thread" : "problems have threads"} on the line.`]),
    ...(rows.length === 0 ? [] : [cut(["Where", "What", "Message"], rows)]),
    ...(others.length === 0 ? [] : [list(others)]),
  ];
}

const commands = `<details><summary>Commands</summary>

Write one of these as a line of a comment; the answer comes in its thread.

| Command | What it does | Who |
| --- | --- | --- |
| \`/dtaas plan\` | looks at the merge request again | who may see the twins |
| \`/dtaas preview [twin]\` | runs the merge result beside the live twin | who may run operations |
| \`/dtaas stop\` | removes the previews | who may run operations |
| \`/dtaas run <operation> [twin]\` | runs an operation of the live twin | who may run operations |
| \`/dtaas help\` | says what there is | everybody |

</details>`;

function seen(observedAt: string | undefined): string {
  const said =
    observedAt === undefined
      ? "Nothing has been seen to run yet."
      : `Planned against what was seen to run at ${observedAt}.`;
  return `${seenBegin}<sub>${said}</sub>${seenEnd}`;
}

function cut(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const shown = table(heads, rows.slice(0, maxRows));
  return rows.length <= maxRows ? shown : `${shown}\n\n${rows.length - maxRows} more.`;
}

function list(items: readonly string[]): string {
  const shown = items.slice(0, maxRows).map((item) => `- ${item}`);
  return [...shown, ...(items.length > maxRows ? [`- ${items.length - maxRows} more`] : [])].join("\n");
}
