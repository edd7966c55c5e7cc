import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { distance } from "fastest-levenshtein";
import { ActionNeededError } from "#core/errors";
import { packageRoot } from "#core/package-root";
import type { WorkspaceService } from "#schemas/workspace-state";

/** One folder per template; folders that begin with an underscore hold what they share. */
export const workspaceTemplates: string = join(packageRoot, "templates/workspace");

export interface WorkspaceTemplate {
  name: string;
  title: string;
  description: string;
  /** Kinds of packages that can be installed on top. */
  installs: ("apt" | "pip")[];
  /** What is added where the image is somebody's workspace rather than a twin's. */
  session: WorkspaceSession;
}

export interface WorkspaceSession {
  /** Which tools `_session/session` starts. */
  command: string;
  /** Debian packages of these tools. */
  packages: string[];
  /** Where they answer HTTP inside. */
  port: number;
  services: WorkspaceService[];
}

export async function listWorkspaceTemplates(): Promise<WorkspaceTemplate[]> {
  const names = (await readdir(workspaceTemplates)).filter((name) => /^[a-z0-9]/.test(name)).sort();
  return Promise.all(names.map(readTemplate));
}

/** `ActionNeededError("TEMPLATE_UNKNOWN")` with what may have been meant. */
export async function findWorkspaceTemplate(name: string): Promise<WorkspaceTemplate> {
  const all = await listWorkspaceTemplates();
  const found = all.find((template) => template.name === name);
  if (found) return found;
  const names = all.map((template) => template.name);
  const near = names.filter((known) => distance(known, name) <= Math.max(2, known.length / 3));
  throw new ActionNeededError("TEMPLATE_UNKNOWN", `there is no workspace template ${JSON.stringify(name)}`, {
    hint: near.length > 0 ? `did you mean ${near.join(" or ")}?` : `there are ${names.join(", ")}`,
  });
}

async function readTemplate(name: string): Promise<WorkspaceTemplate> {
  const about = await readFile(join(workspaceTemplates, name, "about.json"), "utf8");
  return { name, ...(JSON.parse(about) as Omit<WorkspaceTemplate, "name">) };
}
