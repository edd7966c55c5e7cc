import { Command } from "commander";
import type { PipelineJobView, PipelineTree } from "#schemas/pipelines";
import type { CliIo } from "../cli-io.ts";
import { type CommonOptions, commandContext, withConnection } from "../command-context.ts";
import { oneLine } from "../output/table.ts";
import { pipelineArgument } from "./look.ts";
import { findJob, findPipeline, jobPath, pipelinePath } from "./pipeline-name.ts";

/** `dtaas pipeline cancel <pipeline> [job]` */
export function cancelCommand(io: CliIo): Command {
  return changeCommand(io, "cancel", "end it, or one of its jobs; a run that a job has begun ends with it");
}

/** `dtaas pipeline retry <pipeline> [job]` */
export function retryCommand(io: CliIo): Command {
  return changeCommand(io, "retry", "run again what has failed or was cancelled, or one of its jobs");
}

/** `dtaas pipeline play <pipeline> <job>` */
export function playCommand(io: CliIo): Command {
  return withConnection(new Command("play"))
    .description("start a job that waits for a person")
    .argument(...pipelineArgument)
    .argument("<job>", "by its name or number")
    .action(async (text: string, job: string, options: CommonOptions) => {
      await change(io, options, { text, job, verb: "play" });
    });
}

function changeCommand(io: CliIo, verb: "cancel" | "retry", description: string): Command {
  return withConnection(new Command(verb))
    .description(description)
    .argument(...pipelineArgument)
    .argument("[job]", "only this one, by its name or number")
    .action(async (text: string, job: string | undefined, options: CommonOptions) => {
      await change(io, options, { text, job, verb });
    });
}

async function change(
  io: CliIo,
  options: CommonOptions,
  wish: { text: string; job: string | undefined; verb: "cancel" | "retry" | "play" },
): Promise<void> {
  const context = commandContext(io, options);
  const { api } = await context.connect();
  const name = await findPipeline(api, wish.text, context.user);
  if (wish.job === undefined) {
    const tree = await api.send<PipelineTree>("POST", `${pipelinePath(name)}/${wish.verb}`);
    context.print(tree, () => `${tree.user}/${tree.id} ${tree.state}\n`);
    return;
  }
  const tree = await api.get<PipelineTree>(pipelinePath(name));
  const { id } = findJob(tree, wish.job);
  const job = await api.send<PipelineJobView>("POST", `${jobPath(name.user, id)}/${wish.verb}`);
  context.print(job, () => `${oneLine(job.name)} ${job.state} (job ${job.id})\n`);
}
