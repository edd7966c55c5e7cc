import { join } from "node:path";
import { installTestPrograms } from "./install-test-programs.mjs";
import { root } from "./run-step.mjs";

/**
 * Makes the machine ready as `dtaas up` does. `stop` ends what was started; absent: no daemon can be had. `why`: what is missing of a
 * container engine or, without `stop`, of everything. A machine that cannot be made ready is an error under CI, so nothing else is tried there.
 */
export async function prepareForTests() {
  const { thisMachine } = await import("../dist/embedded/machine/machine.js");
  const { prepareMachine } = await import("../dist/embedded/machine/prepare-machine.js");
  const { prepareTalk } = await import("../dist/cli/up/prepare-talk.js");
  const { Terminal } = await import("../dist/cli/up/terminal.js");
  const terminal = new Terminal(process.stdout);
  const asks = Boolean(process.stdin.isTTY && process.stdout.isTTY) && process.env.CI !== "true";
  const machine = thisMachine(process.env, join(root, "node_modules", ".cache", "dtaas", "engine"));
  const talk = prepareTalk(terminal, asks);
  const stoppable = (ready) => {
    let isStopping;
    const stop = () => (isStopping ??= ready.stop());
    for (const signal of ["SIGINT", "SIGTERM"]) {
      process.once(signal, () => void stop().finally(() => process.exit(1)));
    }
    return stop;
  };
  const failure = (error) => {
    if (error?.name !== "ActionNeededError") throw error;
    terminal.failed("");
    const hint = error.hint ? `\nmend it with:\n  ${error.hint.replaceAll("\n", "\n  ")}` : "";
    console.log(`${error.message}${hint}`);
    return error.message.replaceAll("\n", "; ");
  };
  console.log("Machine");
  await installTestPrograms(machine, talk);
  let why;
  try {
    return { stop: stoppable(await prepareMachine(machine, talk)) };
  } catch (error) {
    why = failure(error);
  }
  if (process.env.CI === "true") return { why };
  try {
    return { stop: stoppable(await prepareMachine(machine, talk, "no engine")), why };
  } catch (error) {
    return { why: failure(error) };
  }
}
