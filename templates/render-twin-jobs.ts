import { readFile } from "node:fs/promises";
import { join } from "node:path";
import Handlebars from "handlebars";
import { packageRoot } from "#core/package-root";

const folder = join(packageRoot, "templates/gitlab-ci");

/** Operations that have a job of their own name; any other is run by the job `operation`. */
const namedOperations = ["create", "execute", "save", "analyse", "terminate", "clean"];
const clientIndent = "      "; // of the script that it stands in

/**
 * The CI file that users include: a job for each operation of the twin `$DTName`, with the client that asks the platform
 * written into it, so that what a pipeline runs is in Git.
 */
export async function renderTwinJobs(): Promise<string> {
  const client = await readFile(join(folder, "client.py"), "utf8");
  const template = await readFile(join(folder, "twins.hbs"), "utf8");
  const render = Handlebars.compile(template, { strict: true, noEscape: true });
  return render({
    client: client
      .trimEnd()
      .split("\n")
      .map((line) => (line === "" ? "" : `${clientIndent}${line}`))
      .join("\n"),
    names: namedOperations.join("|"),
    operations: namedOperations.map((name) => ({
      name,
      isStart: name === "execute",
      isStop: name === "terminate",
    })),
  });
}
