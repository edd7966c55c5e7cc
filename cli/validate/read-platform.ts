import { join } from "node:path";
import { readTextIfThere } from "#core/atomic-file";
import { ActionNeededError } from "#core/errors";
import { parsePlatform } from "#schemas/parse-platform";
import type { PlatformDocument } from "#schemas/twin-spec";

/** The platform.yaml in a folder. Errors: `PLATFORM_NOT_FOUND`, `PLATFORM_BROKEN` with its place. */
export async function readPlatform(folder: string, templates: readonly string[]): Promise<PlatformDocument> {
  const file = join(folder, "platform.yaml");
  const text = await readTextIfThere(file);
  if (text === undefined) throw new ActionNeededError("PLATFORM_NOT_FOUND", `there is no ${file}`);
  const { document, diagnostics } = parsePlatform(text, { file, templates });
  const problem = diagnostics.find(({ severity }) => severity === "error");
  if (document && !problem) return document;
  const { line = 1, column = 1, message = "it holds nothing" } = problem ?? {};
  throw new ActionNeededError("PLATFORM_BROKEN", `${file}:${line}:${column}: ${message}`, {
    where: { file, line, column },
    ...(problem?.hint === undefined ? {} : { hint: problem.hint }),
  });
}
