import { Command } from "commander";
import type { DeliveryDetails, DeliveryView, Items } from "#schemas/api";
import type { CliIo } from "../cli-io.ts";
import { type CommonOptions, commandContext, withConnection } from "../command-context.ts";
import { ageOf } from "../output/age.ts";
import { colourOf, type Paint } from "../output/paint.ts";
import { table } from "../output/table.ts";
import { twinTable } from "../twin/list.ts";

interface ListOptions extends CommonOptions {
  limit?: string;
}

/** `dtaas delivery list` and `dtaas delivery <id>` */
export function deliveryCommand(io: CliIo): Command {
  const show = withConnection(new Command("show"))
    .description("one delivery, what became of it, and the twins it concerns")
    .argument("<id>", "id of the delivery; the Git host shows it beside the webhook")
    .action(async (id: string, options: CommonOptions) => {
      const context = commandContext(io, options);
      const { api } = await context.connect();
      const delivery = await api.get<DeliveryDetails>(`/deliveries/${encodeURIComponent(id)}`);
      context.print(delivery, () => {
        const twins =
          delivery.twins.length === 0 ? "" : `\n${twinTable(delivery.twins, context.paint, Date.now())}`;
        return `${deliveryTable([delivery], context.paint, Date.now())}${twins}`;
      });
    });
  const list = withConnection(new Command("list"))
    .description("deliveries of the projects you may see, newest first")
    .option("--limit <count>", "at most this many, up to 500")
    .action(async (options: ListOptions) => {
      const context = commandContext(io, options);
      const { api } = await context.connect();
      const query = options.limit === undefined ? "" : `?limit=${encodeURIComponent(options.limit)}`;
      const { items } = await api.get<Items<DeliveryView>>(`/deliveries${query}`);
      context.print({ items }, () => deliveryTable(items, context.paint, Date.now()));
    });
  return new Command("delivery")
    .description("webhook calls of the Git host and what became of them: list, or the id of one")
    .addCommand(list)
    .addCommand(show, { isDefault: true });
}

function deliveryTable(deliveries: readonly DeliveryView[], paint: Paint, nowMs: number): string {
  if (deliveries.length === 0) return "no deliveries\n";
  return table(
    ["DELIVERY", "CAME", "EVENT", "PROJECT", "OUTCOME", "REVISION", "GENERATION", "REMARK"],
    deliveries.map((delivery) => {
      const { outcome } = delivery;
      const isGood = outcome === "applied" || outcome === "unchanged";
      return [
        delivery.id,
        `${ageOf(delivery.acceptedAt, nowMs)} ago`,
        delivery.event,
        delivery.project ?? "-",
        { text: outcome, paint: (text) => paint(isGood ? "green" : colourOf(outcome), text) },
        delivery.revision?.slice(0, 8) ?? "-",
        delivery.generation === null ? "-" : String(delivery.generation),
        delivery.reason ?? "",
      ];
    }),
  );
}
