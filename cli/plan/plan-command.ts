import { existsSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { Command } from "commander";
import type { PlanView } from "#schemas/api";
import type { CliIo } from "../cli-io.ts";
import {
  type CommandContext,
  type CommonOptions,
  commandContext,
  withConnection,
} from "../command-context.ts";
import { lengthOf } from "../output/age.ts";
import { oneLine } from "../output/table.ts";
import { findRepository } from "../validate/find-repository.ts";
import { type LocalPlan, planFolder } from "./plan-folder.ts";

interface PlanOptions extends CommonOptions {
  common: string[];
  platform?: string;
}

/** `dtaas plan [path|user]`: what would happen; changes nothing. */
export function planCommand(io: CliIo): Command {
  return withConnection(new Command("plan"))
    .description(
      "what would happen if this folder were pushed, or what the platform is about to do for a user",
    )
    .argument(
      "[path|user]",
      "folder of a repository (default: this one), or a user or project of the platform",
    )
    .option(
      "--common <folder>",
      "a shared-asset repository, to compare what twins use of it; again for each, in order (default: those beside)",
      (path: string, before: string[]) => [...before, path],
      [],
    )
    .option(
      "--platform <folder>",
      "the platform repository, for its defaults (default: ../platform, if there)",
    )
    .action(async (subject: string | undefined, options: PlanOptions) => {
      const context = commandContext(io, options);
      const path = subject ?? ".";
      const isFolder =
        existsSync(join(resolve(io.folder, path), "digital_twins")) || /^\.|^\/|dt\.yaml$/.test(path);
      if (isFolder) await planLocally(context, path, options);
      else await planRemotely(context, path);
    });
}

async function planRemotely(context: CommandContext, subject: string): Promise<void> {
  const { api } = await context.connect();
  const user = subject.slice(subject.lastIndexOf("/") + 1);
  const plan = await api.get<PlanView>(`/users/${encodeURIComponent(user)}/plan`);
  context.print(plan, () => {
    const lines = plan.twins.flatMap(({ name, phase, reason, steps }) => {
      if (steps.length === 0) return [line(context, `${user}/${name}`, "keep", reason ?? phase)];
      return steps.map((step) => line(context, `${user}/${name}`, step.kind, step.text));
    });
    return text(lines, plan.observedAgeMs);
  });
}

async function planLocally(context: CommandContext, path: string, options: PlanOptions): Promise<void> {
  const { io } = context;
  const { root } = findRepository(path, io.folder);
  const user = context.user ?? basename(root);
  const plan = await planFolder(
    {
      root,
      user,
      common:
        options.common.length === 0 ? undefined : options.common.map((path) => resolve(io.folder, path)),
      platform: options.platform && resolve(io.folder, options.platform),
    },
    async () => (await context.connect()).api,
  );
  context.print(plan, () => {
    const lines = plan.changes.map((change) =>
      line(context, `${user}/${change.twin}`, change.action, change.reason),
    );
    return `${unseen(plan)}${text(lines, plan.observedAgeMs)}`;
  });
}

function unseen(plan: LocalPlan): string {
  return plan.unreachable === null ? "" : `not compared with what runs: ${oneLine(plan.unreachable)}\n`;
}

function line(context: CommandContext, twin: string, action: string, reason: string): string {
  const colours = { keep: "dim", start: "green", restart: "yellow", wait: "dim" } as const;
  const colour = colours[action as keyof typeof colours] ?? "red";
  return `  ${context.paint(colour, action.padEnd(8))} ${oneLine(twin).padEnd(28)} ${oneLine(reason)}`;
}

function text(lines: readonly string[], ageMs: number | null): string {
  const seen = ageMs === null ? "" : `by what was observed ${lengthOf(ageMs)} ago\n`;
  return `${lines.length === 0 ? "  nothing to do: no twins" : lines.join("\n")}\n${seen}`;
}
