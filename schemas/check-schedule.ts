import { cronProblem } from "./cron.ts";
import { isOperationName } from "./operation-name.ts";
import type { Find } from "./parse-document.ts";
import { recordOf } from "./plain-data.ts";
import { quote } from "./quote.ts";
import { didYouMean } from "./suggest.ts";

/** What no schema can say about `spec.schedule`: operations that are there, and times that come. */
export function checkSchedule(spec: Record<string, unknown>, scripts: readonly string[], find: Find): void {
  const lifecycle = recordOf(spec["lifecycle"]);
  const isKnown = lifecycle !== undefined || spec["lifecycle"] === undefined;
  const operations = lifecycle === undefined ? scripts.filter(isOperationName) : Object.keys(lifecycle);
  for (const [name, written] of Object.entries(recordOf(spec["schedule"]) ?? {})) {
    const pointer = `/spec/schedule/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    if (isKnown && !operations.includes(name)) {
      const message = `the twin has no operation ${quote(name)} that could be scheduled`;
      const list = operations.length === 0 ? "it has none" : `it has ${operations.join(", ")}`;
      find({
        code: "unknown-operation",
        pointer,
        part: "key",
        message,
        hint: didYouMean(name, operations) ?? list,
      });
    } else if (name === "execute" && spec["state"] === "running") {
      const message = "`execute` is kept up by `state: running`, so it cannot be scheduled as well";
      find({ code: "schedule-kept-up", pointer, part: "key", message, hint: "write `state: stopped`" });
    }
    const time = timeOf(written);
    const problem = time && cronProblem(time, Date.now());
    if (problem !== undefined) {
      const message = `the time ${quote(time?.cron ?? "")} of ${quote(name)} cannot be used: ${problem}`;
      find({
        code: "schedule-invalid",
        pointer,
        message,
        hint: "for example: 0 6 * * * for every day at six",
      });
    }
  }
}

/** The time as far as it is well formed; the schema has reported all else. */
function timeOf(written: unknown): { cron: string; timeZone: string } | undefined {
  const mapping = recordOf(written);
  const cron = mapping === undefined ? written : mapping["cron"];
  const timeZone = mapping?.["timeZone"] ?? "UTC";
  if (typeof cron !== "string" || typeof timeZone !== "string") return undefined;
  return cron.split(" ").length === 5 ? { cron, timeZone } : undefined;
}
