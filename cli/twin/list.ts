import { Command } from "commander";
import type { Items, TwinView } from "#schemas/api";
import type { CliIo } from "../cli-io.ts";
import { type CommonOptions, commandContext, withConnection } from "../command-context.ts";
import { ageOf } from "../output/age.ts";
import { colourOf, type Paint } from "../output/paint.ts";
import { table } from "../output/table.ts";

interface ListOptions extends CommonOptions {
  phase?: string[];
  label?: string[];
}

/** `dtaas twin list` */
export function listCommand(io: CliIo): Command {
  return withConnection(new Command("list"))
    .description("all twins you may see")
    .option("--phase <phase...>", "only those in one of these phases")
    .option("--label <key=value...>", "only those with all these labels")
    .action(async (options: ListOptions) => {
      const context = commandContext(io, options);
      const { api } = await context.connect();
      const query = new URLSearchParams();
      if (options.user !== undefined) query.set("user", options.user);
      for (const phase of options.phase ?? []) query.append("phase", phase);
      for (const label of options.label ?? []) query.append("label", label);
      const { items } = await api.get<Items<TwinView>>(`/twins?${query.toString()}`);
      context.print({ items }, () => twinTable(items, context.paint, Date.now()));
    });
}

/** One line for each twin. */
export function twinTable(twins: readonly TwinView[], paint: Paint, nowMs: number): string {
  if (twins.length === 0) return "no twins\n";
  return table(
    ["TWIN", "PHASE", "SINCE", "STATE", "RESTARTS", "REVISION", "REMARK"],
    twins.map((twin) => [
      `${twin.user}/${twin.name}`,
      { text: twin.phase, paint: (text) => paint(colourOf(twin.phase), text) },
      ageOf(twin.since, nowMs),
      twin.suspend ? "suspended" : (twin.state ?? "removed"),
      String(twin.restarts),
      twin.revision?.slice(0, 8) ?? "-",
      remarkOf(twin),
    ]),
  );
}

/** What a person should know first about a twin. */
export function remarkOf(twin: TwinView): string {
  const first = twin.broken?.diagnostics.find(({ severity }) => severity === "error");
  if (first) return `${first.file}:${first.line}:${first.column}: ${first.message}`;
  if (twin.returnedFrom)
    return `back from ${twin.returnedFrom.revision.slice(0, 8)}: ${twin.returnedFrom.reason}`;
  return twin.reason ?? "";
}
