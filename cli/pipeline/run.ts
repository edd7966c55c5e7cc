import { Command, InvalidArgumentError } from "commander";
import { ActionNeededError } from "#core/errors";
import type { PipelineView } from "#schemas/pipelines";
import { findTwin } from "../api/find-twin.ts";
import type { CliIo } from "../cli-io.ts";
import { type CommonOptions, commandContext, withConnection } from "../command-context.ts";
import { ownRepository } from "../library/library-path.ts";
import type { SetExitCode } from "../run-cli.ts";
import { exitCodeOfPipeline, followPipeline } from "./follow-pipeline.ts";
import { pipelinesPath } from "./pipeline-name.ts";

interface RunOptions extends CommonOptions {
  operation?: string;
  ref?: string;
  var?: Record<string, string>;
  input?: Record<string, unknown>;
  follow?: boolean;
}

/** `dtaas pipeline run [twin...]` */
export function runCommand(io: CliIo, end: SetExitCode): Command {
  return withConnection(new Command("run"))
    .description("start a pipeline for each of these twins, or one about none")
    .argument("[twin...]", "user/twin, or twin where that is clear: the variable DTName")
    .option("-o, --operation <name>", "begin at once with this operation: the variable DTOperation")
    .option("--ref <ref>", "a branch or tag (default: the default branch)")
    .option("--var <name=value>", "a variable; may be repeated", variable)
    .option(
      "--input <name=value>",
      "an input of the pipeline, as JSON where it is JSON; may be repeated",
      input,
    )
    .option("-f, --follow", "show the logs of its jobs, and end with 1 when it fails; for one pipeline")
    .action(async (names: string[], options: RunOptions) => {
      const context = commandContext(io, options);
      if (options.follow && names.length > 1) {
        throw new ActionNeededError("USAGE", "only one pipeline can be followed", {
          hint: "start them without -f, and follow each with dtaas pipeline logs -f",
        });
      }
      const { api } = await context.connect();
      const twins = [];
      for (const name of names) twins.push(await findTwin(api, name, context.user));
      const { operation, ref, var: variables, input: inputs } = options;
      const wish = { operation, ref, variables, inputs };
      const made: PipelineView[] = [];
      for (const { user, twin } of twins) {
        made.push(await api.send<PipelineView>("POST", pipelinesPath(user), { ...wish, twin }));
      }
      if (twins.length === 0) {
        const user = await ownRepository(api, context.user);
        made.push(await api.send<PipelineView>("POST", pipelinesPath(user), wish));
      }
      const [only] = made;
      if (options.follow && only) {
        io.err(`${only.user}/${only.id} ${only.state}; ${only.webUrl}\n`);
        end(exitCodeOfPipeline(await followPipeline(context, api, only)));
        return;
      }
      context.print({ items: made }, () =>
        made
          .map(({ user, id }) => `${user}/${id} started; follow it: dtaas pipeline logs -f ${user}/${id}\n`)
          .join(""),
      );
    });
}

function variable(text: string, before: Record<string, string> = {}): Record<string, string> {
  const [name, value] = split(text);
  return { ...before, [name]: value };
}

function input(text: string, before: Record<string, unknown> = {}): Record<string, unknown> {
  const [name, value] = split(text);
  try {
    return { ...before, [name]: JSON.parse(value) as unknown };
  } catch {
    return { ...before, [name]: value };
  }
}

function split(text: string): [string, string] {
  const at = text.indexOf("=");
  if (at < 1) throw new InvalidArgumentError("write name=value");
  return [text.slice(0, at), text.slice(at + 1)];
}
