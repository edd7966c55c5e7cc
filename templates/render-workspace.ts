import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import Handlebars from "handlebars";
import { ActionNeededError } from "#core/errors";
import type { WorkspaceImage } from "#schemas/twin-spec";
import { execForm, imageReference } from "./dockerfile-quoting.ts";
import { findWorkspaceTemplate, workspaceTemplates } from "./workspace-templates.ts";

/** A Dockerfile with the files beside it, and a hash over all that decides what the image will be. */
export interface WorkspaceRecipe {
  hash: string;
  dockerfile: string;
  files: Record<string, { content: string; mode: number }>;
}

/**
 * What to build for a workspace. `withSession` adds the tools that a person works with. The same template, packages and base image give the same hash, whoever asks.
 * `TEMPLATE_UNKNOWN` for a template that is not there, `PACKAGES_UNSUPPORTED` for packages it cannot install.
 */
export async function renderWorkspace(
  { template, packages }: WorkspaceImage,
  { baseImageId, withSession = false }: { baseImageId: string; withSession?: boolean },
): Promise<WorkspaceRecipe> {
  const { name, installs, session } = await findWorkspaceTemplate(template);
  for (const kind of ["apt", "pip"] as const) {
    if (packages[kind].length > 0 && !installs.includes(kind)) {
      throw new ActionNeededError(
        "PACKAGES_UNSUPPORTED",
        `the template ${name} cannot install ${kind} packages`,
        {
          hint: kind === "pip" ? "use the template python" : `remove packages.${kind}`,
        },
      );
    }
  }
  const text = (...path: string[]) => readFile(join(workspaceTemplates, ...path), "utf8");
  const handlebars = Handlebars.create();
  handlebars.registerHelper({ execForm: execFormHelper, image: imageReference });
  handlebars.registerPartial({ head: await text("_build/head.hbs"), tail: await text("_build/tail.hbs") });
  const render = handlebars.compile(await text(name, "Dockerfile.hbs"), { strict: true, noEscape: true });
  const dockerfile = render({
    baseImageId,
    apt: distinct(packages.apt),
    pip: distinct(packages.pip),
    session: withSession ? distinct(session.packages) : [],
  });
  const files = {
    "apt-packages": { content: await text("_build/apt-packages"), mode: 0o755 },
    "pip-packages": { content: await text("_build/pip-packages"), mode: 0o755 },
    init: { content: await text("_init/init"), mode: 0o755 },
  };
  const hash = createHash("sha256")
    .update(JSON.stringify([1, dockerfile, files]))
    .digest("hex");
  return { hash, dockerfile, files };
}

/** Words and lists of words, in the order they come; the last argument is Handlebars' own. */
function execFormHelper(...words: unknown[]): string {
  return execForm(words.slice(0, -1).flat().map(String));
}

/** The order in which somebody wrote packages down does not make another image. */
function distinct(names: readonly string[]): string[] {
  return [...new Set(names)].sort();
}
