import type { CommitStatus } from "../forge/forge.ts";
import { isBroken, type ReviewFindings } from "./comment.ts";

export type PlanStatus = Pick<CommitStatus, "state" | "description">;

const verbs = {
  start: "start",
  restart: "restart",
  stop: "stop",
  remove: "be removed",
  refuse: "not be run",
} as const;

/** What the commit status `dtaas/plan` says: the first problem, or what will happen. Pure. */
export function planStatus(
  findings: Pick<ReviewFindings, "problems" | "refusal" | "brokenOthers" | "plan" | "widening" | "touched">,
): PlanStatus {
  const { refusal, problems, brokenOthers, plan, widening, touched } = findings;
  if (refusal !== undefined) return { state: "failed", description: refusal };
  const [first] = problems.filter(({ severity }) => severity === "error");
  if (first) {
    const place = `${first.file}:${first.line}:${first.column}`;
    const errors = problems.filter(({ severity }) => severity === "error").length;
    const more = errors > 1 ? ` (and ${errors - 1} more)` : "";
    return { state: "failed", description: `${place}: ${first.message}${more}` };
  }
  if (isBroken(findings)) {
    const count = brokenOthers.named.length + brokenOthers.unnamed;
    return { state: "failed", description: `${count} twins of other users would be broken` };
  }
  const counts = Object.entries(verbs).flatMap(([action, verb]) => {
    const count = (plan?.changes ?? []).filter((change) => change.action === action).length;
    return count === 0 ? [] : [`${count} will ${verb}`];
  });
  const others = touched.named.length + touched.unnamed;
  const remarks = [
    ...(widening.length > 0 ? ["access gets wider"] : []),
    ...(others > 0 ? [`${others} twins of other users are touched`] : []),
  ];
  const said = [...counts, ...remarks];
  return {
    state: "success",
    description: said.length === 0 ? "nothing happens to any twin" : said.join(", "),
  };
}
