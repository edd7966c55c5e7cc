import { Command } from "commander";
import type { PreviewsView, PreviewView } from "#schemas/preview-view";
import type { CliIo } from "../cli-io.ts";
import { type CommonOptions, commandContext, withConnection } from "../command-context.ts";
import { ageOf } from "../output/age.ts";
import type { Paint } from "../output/paint.ts";
import { table } from "../output/table.ts";
import { previewsOf } from "./find-previews.ts";

/** `dtaas preview list` */
export function listCommand(io: CliIo): Command {
  return withConnection(new Command("list"))
    .description("previews of merge requests, the newest first")
    .action(async (options: CommonOptions) => {
      const context = commandContext(io, options);
      const { api } = await context.connect();
      const items = await previewsOf(api, context.user);
      context.print({ items }, () => previewTable(items, context.paint, Date.now()));
    });
}

function previewTable(items: readonly PreviewsView[], paint: Paint, nowMs: number): string {
  if (items.length === 0) return "no merge request has previews\n";
  const rows = items.flatMap((previews) =>
    previews.twins.map((preview) => [
      previews.id,
      preview.twin,
      preview.commit.slice(0, 8),
      { text: preview.phase, paint: (text: string) => paint(phaseColour(preview.phase), text) },
      ageOf(preview.since, nowMs),
      verdicts(preview),
      preview.reason ?? "",
    ]),
  );
  return table(["MERGE REQUEST", "TWIN", "COMMIT", "PHASE", "SINCE", "NUMBERS", "REMARK"], rows);
}

export function phaseColour(phase: PreviewView["phase"]): Parameters<Paint>[0] {
  if (phase === "done") return "green";
  return phase === "failed" ? "red" : phase === "expired" ? "dim" : "yellow";
}

/** `2 pass, 1 fail`, or nothing. */
function verdicts({ comparisons }: PreviewView): string {
  const counts = (["pass", "fail", "cannot-compare"] as const).flatMap((verdict) => {
    const count = comparisons.filter((one) => one.verdict === verdict).length;
    return count === 0 ? [] : [`${count} ${verdict}`];
  });
  return counts.length === 0 ? "-" : counts.join(", ");
}
