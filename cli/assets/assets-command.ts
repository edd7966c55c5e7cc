import { Command } from "commander";
import type { SharedAssets } from "#schemas/api";
import type { CliIo } from "../cli-io.ts";
import {
  type CommandContext,
  type CommonOptions,
  commandContext,
  withConnection,
} from "../command-context.ts";
import { table } from "../output/table.ts";

/** `dtaas assets <user>`: what the user's twins find below common/, where it comes from, and what is hidden. */
export function assetsCommand(io: CliIo): Command {
  return withConnection(new Command("assets"))
    .description("shared assets that a user sees below common/, and which repository each comes from")
    .argument("[user]", "a user or project of the platform (default: --user)")
    .action(async (subject: string | undefined, options: CommonOptions) => {
      const context = commandContext(io, options);
      const { api } = await context.connect();
      const name = subject ?? context.user ?? (await api.get<{ username: string }>("/me")).username;
      const user = name.slice(name.lastIndexOf("/") + 1);
      const seen = await api.get<SharedAssets>(`/users/${encodeURIComponent(user)}/assets`);
      context.print(seen, () => text(seen, context));
    });
}

function text(seen: SharedAssets, { paint }: CommandContext): string {
  const { assets, hidden, problems, repositories } = seen;
  const commits = new Map(repositories.map(({ project, commit }) => [project, commit.slice(0, 8)]));
  const rows = [
    ...assets.map(({ path, project }) => [`common/${path}`, project, commits.get(project) ?? "-", ""]),
    ...hidden.map(({ path, project, behind }) => [
      `common/${path}`,
      project,
      commits.get(project) ?? "-",
      { text: `hidden: ${behind} comes first`, paint: (shown: string) => paint("yellow", shown) },
    ]),
  ];
  const list =
    rows.length === 0 ? "no shared assets\n" : table(["ASSET", "REPOSITORY", "REVISION", "REMARK"], rows);
  return list + problems.map(({ project, reason }) => `${paint("red", project)}: ${reason}\n`).join("");
}
