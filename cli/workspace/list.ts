import { Command } from "commander";
import type { Items } from "#schemas/api";
import type { WorkspaceView } from "#schemas/workspace-view";
import type { CliIo } from "../cli-io.ts";
import { type CommonOptions, commandContext, withConnection } from "../command-context.ts";
import { ageOf } from "../output/age.ts";
import { colourOf, type Paint } from "../output/paint.ts";
import { table } from "../output/table.ts";

/** `dtaas workspace list` */
export function listCommand(io: CliIo): Command {
  return withConnection(new Command("list"))
    .description("workspaces you may use")
    .action(async (options: CommonOptions) => {
      const context = commandContext(io, options);
      const { api } = await context.connect();
      const { items } = await api.get<Items<WorkspaceView>>("/workspaces");
      context.print({ items }, () => workspaceTable(items, context.paint, Date.now()));
    });
}

function workspaceTable(workspaces: readonly WorkspaceView[], paint: Paint, nowMs: number): string {
  if (workspaces.length === 0) return "no workspaces; start one: dtaas workspace start\n";
  return table(
    ["WORKSPACE", "STATE", "SINCE", "IMAGE", "WORK TREE", "REMARK"],
    workspaces.map((one) => [
      one.user,
      { text: one.state, paint: (text) => paint(colourOf(one.state), text) },
      ageOf(one.since, nowMs),
      one.image ?? one.template?.template ?? "-",
      workTreeRemark(one),
      one.reason ?? one.behind ?? "",
    ]),
  );
}

/** What differs between the work tree and upstream, in a few words. */
export function workTreeRemark({ workTree }: WorkspaceView): string {
  if (workTree === null) return "-";
  const { ahead = 0, behind = 0, changed, problem } = workTree;
  if (problem !== undefined) return problem;
  const parts = [
    ...(changed.length > 0 ? [`${changed.length} changed`] : []),
    ...(ahead > 0 ? [`${ahead} to push`] : []),
    ...(behind > 0 ? [`${behind} to pull`] : []),
  ];
  return parts.length === 0 ? "clean" : parts.join(", ");
}
