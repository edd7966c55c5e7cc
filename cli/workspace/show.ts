import { Command } from "commander";
import type { WorkspaceView } from "#schemas/workspace-view";
import type { CliIo } from "../cli-io.ts";
import { type CommonOptions, commandContext, withConnection } from "../command-context.ts";
import { ageOf, lengthOf } from "../output/age.ts";
import { colourOf, type Paint } from "../output/paint.ts";
import { oneLine } from "../output/table.ts";
import { findWorkspace, userArgument } from "./find-workspace.ts";
import { workTreeRemark } from "./list.ts";

const titleWidth = 13;
const shownChanges = 10;

/** `dtaas workspace show [user]` */
export function showCommand(io: CliIo): Command {
  return withConnection(new Command("show"))
    .description("everything about one: its stages, tools, and what differs from upstream")
    .argument(...userArgument)
    .action(async (name: string | undefined, options: CommonOptions) => {
      const context = commandContext(io, options);
      const { api } = await context.connect();
      const { path } = await findWorkspace(api, name, context.user);
      const view = await api.get<WorkspaceView>(path);
      context.print(view, () => describeWorkspace(view, context.paint, Date.now()));
    });
}

/** What its files take, and of how much. */
function diskOf({ disk }: WorkspaceView): string | null {
  if (!disk) return null;
  const mebibytes = (bytes: number) => `${Math.ceil(bytes / 1024 ** 2)}Mi`;
  return disk.limitBytes === undefined
    ? `${mebibytes(disk.usedBytes)}, no limit`
    : `${mebibytes(disk.usedBytes)} of ${mebibytes(disk.limitBytes)}`;
}

function describeWorkspace(view: WorkspaceView, paint: Paint, nowMs: number): string {
  const { workTree, resources, template } = view;
  const packages = [...(template?.packages.apt ?? []), ...(template?.packages.pip ?? [])];
  const stages = view.stages.map(
    ({ name, tookMs }) => `${name}${tookMs === null ? "" : ` ${lengthOf(tookMs)}`}`,
  );
  const gibibytes = (bytes: number) => `${Math.round((bytes / 1024 ** 3) * 100) / 100}Gi`;
  const more = (workTree?.changed.length ?? 0) - shownChanges;
  const fields: [string, string | null][] = [
    ["state", `${view.state}${view.since === null ? "" : ` for ${ageOf(view.since, nowMs)}`}`],
    ["reason", view.reason],
    ["stages", stages.join(", ") || null],
    ["image", view.image ?? template?.template ?? null],
    ["packages", packages.join(", ") || null],
    ["behind", view.behind],
    [
      "limits",
      resources &&
        `${resources.cpus} CPU, ${gibibytes(resources.memoryBytes)} memory, ${gibibytes(resources.shmBytes)} shm, ${resources.pids} pids`,
    ],
    ["disk", diskOf(view)],
    ["stops idle", view.stopsIdleAt],
    ["tools", view.services.map(({ title, path }) => `${title} (${path})`).join(", ") || null],
    ["branch", workTree?.branch ?? null],
    ["commit", workTree?.commit?.slice(0, 8) ?? null],
    ["work tree", workTree && workTreeRemark(view)],
    ...(workTree?.changed ?? []).slice(0, shownChanges).map((path): [string, string] => ["", `  ${path}`]),
    ["", more > 0 ? `  and ${more} more` : null],
  ];
  const lines = fields.flatMap(([title, text]) => {
    if (text === null) return [];
    const shown = title === "state" ? paint(colourOf(view.state), oneLine(text)) : oneLine(text);
    return [`  ${title.padEnd(titleWidth)}${shown}`];
  });
  return `${[paint("bold", view.user), ...lines].join("\n")}\n`;
}
