import { setTimeout as delay } from "node:timers/promises";
import { Command, InvalidArgumentError } from "commander";
import type { StateChange, TwinView } from "#schemas/api";
import type { ApiClient } from "../api/api-client.ts";
import { findTwin } from "../api/find-twin.ts";
import { type TwinName, twinPath } from "../api/paths.ts";
import type { CliIo } from "../cli-io.ts";
import { type CommonOptions, commandContext, withConnection } from "../command-context.ts";
import { exitCodes } from "../exit-codes.ts";
import { colourOf } from "../output/paint.ts";
import { progress } from "../output/progress.ts";
import type { SetExitCode } from "../run-cli.ts";
import { remarkOf } from "./list.ts";

const pollMs = 500;
const defaultWaitSeconds = 120;

interface StateOptions extends CommonOptions {
  wait?: boolean;
  timeout: number;
}

/** `dtaas twin start <twin>`: a commit that says `state: running`. */
export function startCommand(io: CliIo, end: SetExitCode): Command {
  return stateCommand(io, end, "start", "running", "commit `state: running`, so that it is kept up");
}

/** `dtaas twin stop <twin>`: a commit that says `state: stopped`. */
export function stopCommand(io: CliIo, end: SetExitCode): Command {
  return stateCommand(io, end, "stop", "stopped", "commit `state: stopped`; operations can still be run");
}

function stateCommand(
  io: CliIo,
  end: SetExitCode,
  verb: string,
  state: "running" | "stopped",
  says: string,
): Command {
  return withConnection(new Command(verb))
    .description(says)
    .argument("<twin>", "user/twin, or twin where that is clear")
    .option("--wait", "wait until it is so")
    .option("--timeout <seconds>", "with --wait: at most this long", seconds, defaultWaitSeconds)
    .action(async (name: string, options: StateOptions) => {
      const context = commandContext(io, options);
      const { api } = await context.connect();
      const twin = await findTwin(api, name, context.user);
      const change = await api.send<StateChange>("PUT", `${twinPath(twin)}/state`, { state });
      const said = change.changed ? `committed ${change.commit?.slice(0, 8)}` : "Git says so already";
      if (!options.wait) {
        context.print(change, () => `${twin.user}/${twin.twin}: state: ${state} (${said})\n`);
        return;
      }
      const waitMs = options.timeout * 1_000;
      const view = await untilState(api, twin, { state, waitMs, io });
      context.print({ ...change, phase: view.phase, reason: view.reason }, () => {
        const phase = context.paint(colourOf(view.phase), view.phase);
        return `${twin.user}/${twin.twin}: ${phase} (${said}) ${remarkOf(view)}`.trimEnd().concat("\n");
      });
      if (!isThere(view, state)) end(exitCodes.failed);
    });
}

/** Looks until the twin is where the state wants it, has been given up, or the time is over. */
async function untilState(
  api: ApiClient,
  twin: TwinName,
  options: { state: "running" | "stopped"; waitMs: number; io: CliIo },
): Promise<TwinView> {
  const untilMs = performance.now() + options.waitMs;
  const show = progress(options.io);
  try {
    for (;;) {
      const view = await api.get<TwinView>(twinPath(twin));
      const isOver = view.phase === "failed" || view.phase === "refused";
      const isNews = view.state === options.state && view.applied;
      if ((isNews && (isOver || isThere(view, options.state))) || performance.now() > untilMs) return view;
      show.say(`${twin.user}/${twin.twin}: ${view.phase}`);
      await delay(pollMs, undefined, { signal: options.io.interrupted });
    }
  } finally {
    show.end();
  }
}

function isThere(view: TwinView, state: "running" | "stopped"): boolean {
  if (view.state !== state || !view.applied) return false;
  return state === "running"
    ? ["live", "completed"].includes(view.phase)
    : ["ready", "completed"].includes(view.phase);
}

function seconds(text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new InvalidArgumentError("give a number of seconds");
}
