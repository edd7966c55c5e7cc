import { setTimeout as delay } from "node:timers/promises";
import { Command, InvalidArgumentError } from "commander";
import type { WorkspaceView } from "#schemas/workspace-view";
import type { ApiClient } from "../api/api-client.ts";
import type { CliIo } from "../cli-io.ts";
import { type CommonOptions, commandContext, withConnection } from "../command-context.ts";
import { exitCodes } from "../exit-codes.ts";
import { lengthOf } from "../output/age.ts";
import { colourOf } from "../output/paint.ts";
import { progress } from "../output/progress.ts";
import type { SetExitCode } from "../run-cli.ts";
import { findWorkspace, userArgument } from "./find-workspace.ts";

const pollMs = 250;
const defaultWaitSeconds = 900; // a first start builds an image

interface StateOptions extends CommonOptions {
  wait: boolean;
  timeout: number;
}

interface Verb {
  name: string;
  says: string;
  /** How it ends when all is well. */
  until: "ready" | "stopped";
  ask: (api: ApiClient, path: string) => Promise<WorkspaceView>;
}

/** `dtaas workspace start [user]` */
export function startCommand(io: CliIo, end: SetExitCode): Command {
  return verbCommand(io, end, {
    name: "start",
    says: "start it and wait until its tools answer; Ctrl-C ends the waiting, `stop` cancels",
    until: "ready",
    ask: (api, path) => api.send("PUT", `${path}/state`, { state: "running" }),
  });
}

/** `dtaas workspace stop [user]` */
export function stopCommand(io: CliIo, end: SetExitCode): Command {
  return verbCommand(io, end, {
    name: "stop",
    says: "stop it, or cancel its start; its files stay",
    until: "stopped",
    ask: (api, path) => api.send("PUT", `${path}/state`, { state: "stopped" }),
  });
}

/** `dtaas workspace restart [user]` */
export function restartCommand(io: CliIo, end: SetExitCode): Command {
  return verbCommand(io, end, {
    name: "restart",
    says: "end the session and begin a new one, as workspace.yaml says today",
    until: "ready",
    ask: (api, path) => api.send("POST", `${path}/restart`),
  });
}

/** `dtaas workspace rebuild [user]` */
export function rebuildCommand(io: CliIo, end: SetExitCode): Command {
  return verbCommand(io, end, {
    name: "rebuild",
    says: "the same with an image that is made anew",
    until: "ready",
    ask: (api, path) => api.send("POST", `${path}/rebuild`),
  });
}

function verbCommand(io: CliIo, end: SetExitCode, verb: Verb): Command {
  return withConnection(new Command(verb.name))
    .description(verb.says)
    .argument(...userArgument)
    .option("--no-wait", "return as soon as the wish is on disk")
    .option("--timeout <seconds>", "wait at most this long", seconds, defaultWaitSeconds)
    .action(async (name: string | undefined, options: StateOptions) => {
      const context = commandContext(io, options);
      const { api } = await context.connect();
      const { user, path } = await findWorkspace(api, name, context.user);
      const asked = await verb.ask(api, path);
      const view = options.wait
        ? await untilSettled(api, path, {
            session: asked.session,
            until: verb.until,
            waitMs: options.timeout * 1_000,
            io,
          })
        : asked;
      context.print(view, () => {
        const state = context.paint(colourOf(view.state), view.state);
        const took = view.stages.flatMap(({ name: stage, tookMs }) =>
          tookMs === null ? [] : [`${stage} ${lengthOf(tookMs)}`],
        );
        const detail = view.reason ?? (verb.until === "ready" ? took.join(", ") : "");
        return `${user}: ${state}${detail === "" ? "" : ` (${detail})`}\n`;
      });
      if (options.wait && view.state !== verb.until) end(exitCodes.failed);
    });
}

/** Looks until it is as wanted, has been given up, or the time is over; every new state is shown. */
async function untilSettled(
  api: ApiClient,
  path: string,
  options: { session: number | null; until: "ready" | "stopped"; waitMs: number; io: CliIo },
): Promise<WorkspaceView> {
  const untilMs = performance.now() + options.waitMs;
  const show = progress(options.io);
  try {
    for (;;) {
      const view = await api.get<WorkspaceView>(path);
      const isSettled = ["ready", "failed", "stopped"].includes(view.state) && view.applied;
      const isOver = view.session !== options.session || (isSettled && view.state === options.until);
      const isGivenUp =
        isSettled && (view.state === "failed" || view.desired === "stopped" || view.state === "stopped");
      if (isOver || isGivenUp || performance.now() > untilMs) return view;
      show.say(`${view.user}: ${view.state}${view.reason === null ? "" : `: ${view.reason}`}`);
      await delay(pollMs, undefined, { signal: options.io.interrupted });
    }
  } finally {
    show.end();
  }
}

function seconds(text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError("give a number of seconds");
}
