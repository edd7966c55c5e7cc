import { Command, InvalidArgumentError } from "commander";
import type { Items } from "#schemas/api";
import { allJobs, type PipelineJobView, type PipelineTree, type PipelineView } from "#schemas/pipelines";
import type { ApiClient } from "../api/api-client.ts";
import { followEvents } from "../api/follow-events.ts";
import type { CliIo } from "../cli-io.ts";
import {
  type CommandContext,
  type CommonOptions,
  commandContext,
  withConnection,
} from "../command-context.ts";
import { ownRepository } from "../library/library-path.ts";
import type { SetExitCode } from "../run-cli.ts";
import { exitCodeOfPipeline, followPipeline, safe } from "./follow-pipeline.ts";
import { findJob, findPipeline, jobPath, pipelinePath, pipelinesPath } from "./pipeline-name.ts";
import { pipelineTable, pipelineText } from "./pipeline-text.ts";

interface ListOptions extends CommonOptions {
  limit?: number;
  ref?: string;
}

interface LogOptions extends CommonOptions {
  follow?: boolean;
  job?: string;
}

export const pipelineArgument = ["<pipeline>", "user/number, or number"] as const;

/** `dtaas pipeline list` */
export function listCommand(io: CliIo): Command {
  return withConnection(new Command("list"))
    .description("pipelines of a user's project, newest first")
    .option("--limit <count>", "at most this many, up to 100", pipelineCount)
    .option("--ref <ref>", "only of this branch or tag")
    .action(async (options: ListOptions) => {
      const context = commandContext(io, options);
      const { api } = await context.connect();
      const query = new URLSearchParams();
      if (options.limit !== undefined) query.set("limit", String(options.limit));
      if (options.ref !== undefined) query.set("ref", options.ref);
      const path = `${pipelinesPath(await ownRepository(api, context.user))}?${query.toString()}`;
      const { items } = await api.get<Items<PipelineView>>(path);
      context.print({ items }, () => pipelineTable(items, context.paint, Date.now()));
    });
}

/** `dtaas pipeline show <pipeline>` */
export function showCommand(io: CliIo): Command {
  return withConnection(new Command("show"))
    .description("a pipeline with its jobs, and the pipelines that these have triggered")
    .argument(...pipelineArgument)
    .action(async (text: string, options: CommonOptions) => {
      const context = commandContext(io, options);
      const { api } = await context.connect();
      const tree = await api.get<PipelineTree>(pipelinePath(await findPipeline(api, text, context.user)));
      context.print(tree, () => pipelineText(tree, context.paint, Date.now()));
    });
}

/** `dtaas pipeline logs <pipeline>` */
export function logsCommand(io: CliIo, end: SetExitCode): Command {
  return withConnection(new Command("logs"))
    .description("what its jobs have printed")
    .argument(...pipelineArgument)
    .option("-f, --follow", "go on until it has ended; ends with 1 when it fails")
    .option("--job <job>", "only this one, by its name or number")
    .action(async (text: string, options: LogOptions) => {
      const context = commandContext(io, options);
      const { api } = await context.connect();
      const name = await findPipeline(api, text, context.user);
      if (options.follow && options.job === undefined) {
        end(exitCodeOfPipeline(await followPipeline(context, api, name)));
        return;
      }
      const tree = await api.get<PipelineTree>(pipelinePath(name));
      const jobs =
        options.job === undefined
          ? allJobs(tree).filter(({ isTrigger }) => !isTrigger)
          : [findJob(tree, options.job)];
      for (const job of jobs) {
        if (jobs.length > 1) io.err(`${context.paint("bold", safe(job.name))}\n`);
        if (options.follow) await followJob(context, api, { user: name.user, job });
        else await printLog(context, api, { user: name.user, job });
      }
    });
}

interface JobOf {
  user: string;
  job: PipelineJobView;
}

async function followJob({ io }: CommandContext, api: ApiClient, { user, job }: JobOf): Promise<void> {
  const onLost = () => io.err("the connection was lost; going on where it was\n");
  const path = `${jobPath(user, job.id)}/log`;
  for await (const { event, data } of followEvents(api, path, { onLost, signal: io.interrupted })) {
    if (event !== "end") io.out(`${safe((JSON.parse(data) as { text: string }).text)}\n`);
  }
}

async function printLog({ io }: CommandContext, api: ApiClient, { user, job }: JobOf): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of api.read(`${jobPath(user, job.id)}/log`, "text/plain")) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) io.out(`${safe(line)}\n`);
  }
  if (rest !== "") io.out(`${safe(rest)}\n`);
}

function pipelineCount(text: string): number {
  if (/^\d{1,3}$/.test(text) && Number(text) >= 1 && Number(text) <= 100) return Number(text);
  throw new InvalidArgumentError("give a number from 1 to 100");
}
