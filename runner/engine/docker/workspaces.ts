import { Writable } from "node:stream";
import type Docker from "dockerode";
import { ActionNeededError, messageOf } from "#core/errors";
import type { WorkspaceContainer, WorkspaceContainers } from "../workspace-containers.ts";
import { asking, askingUnless, statusOf, toEngineError } from "./engine-error.ts";
import { frames } from "./frames.ts";
import { labelFilter, sessionLabel, userLabel, workspaceLabel } from "./labels.ts";
import { workspaceConfig, workspaceName } from "./workspace-config.ts";

const notRunning = 125; // as `docker run` says when the engine could not do it
const timedOut = 124; // as timeout(1) says
const engineSlackMs = 5_000; // the command is killed inside; this is for an engine that does not answer

/** Workspaces on Docker. `gateway` is this machine's address in a user's network; `usage` counts what their files take. */
export function dockerWorkspaces(
  docker: Docker,
  installation: string,
  gateway: (user: string) => Promise<string>,
  usage: (user: string) => Promise<number | undefined>,
): WorkspaceContainers {
  const inspectImage = (name: string) =>
    askingUnless([404], `looking at image ${name}`, () => docker.getImage(name).inspect());

  return {
    gateway,
    usage,

    async create(spec) {
      try {
        return { id: (await docker.createContainer(workspaceConfig(spec, installation))).id };
      } catch (error) {
        if (statusOf(error) === 404) {
          throw new ActionNeededError("IMAGE_MISSING", "the image of the workspace is not there any more", {
            hint: "start the workspace again",
            cause: error,
          });
        }
        if (statusOf(error) !== 409) throw toEngineError(error, "creating a workspace");
        const name = workspaceName(installation, spec);
        const found = await asking("creating a workspace", () => docker.getContainer(name).inspect());
        return { id: found.Id };
      }
    },

    async list(user) {
      const filters = labelFilter(installation, {
        ...(user === undefined ? {} : { [userLabel]: user }),
      });
      const found = await asking("listing workspaces", () => docker.listContainers({ all: true, filters }));
      const mine = found.filter(
        ({ Labels, State }) => Labels[workspaceLabel] !== undefined && State !== "removing",
      );
      const inspected = await Promise.all(
        mine.map(({ Id }) =>
          askingUnless([404], "listing workspaces", () => docker.getContainer(Id).inspect()),
        ),
      );
      return inspected.flatMap((one) => (one ? [toWorkspace(one)] : []));
    },

    async run(id, command, { timeoutMs, maxBytes }) {
      // The engine cannot end a command it has started, so something inside has to.
      const Cmd = ["timeout", "--signal=KILL", (timeoutMs / 1000).toFixed(3), ...command];
      const startedAt = Date.now();
      try {
        const container = docker.getContainer(id);
        const made = await container.exec({ Cmd, AttachStdout: true, AttachStderr: true });
        const stream = await made.start({ hijack: true, stdin: false });
        const output = new Collected(maxBytes);
        docker.modem.demuxStream(stream, output, output);
        await new Promise<void>((resolve, reject) => {
          const late = setTimeout(() => stream.destroy(), timeoutMs + engineSlackMs);
          stream.once("close", () => {
            clearTimeout(late);
            resolve();
          });
          stream.once("error", reject);
          stream.once("end", () => stream.destroy());
        });
        const { ExitCode } = await made.inspect();
        const isLate = Date.now() - startedAt >= timeoutMs;
        return { exitCode: isLate ? timedOut : (ExitCode ?? notRunning), output: output.text() };
      } catch (error) {
        const status = statusOf(error);
        if (status === 404 || status === 409) return { exitCode: notRunning, output: "" };
        throw toEngineError(error, "a command in a workspace");
      }
    },

    async stream(id, command, { timeoutMs, maxErrorBytes }, take) {
      const Cmd = ["timeout", "--signal=KILL", (timeoutMs / 1000).toFixed(3), ...command];
      const what = "a command in a workspace";
      const startedAt = Date.now();
      const made = await askingUnless([404, 409], what, () =>
        docker.getContainer(id).exec({ Cmd, AttachStdout: true, AttachStderr: true }),
      );
      const stream = made && (await askingUnless([404, 409], what, () => made.start({ hijack: true })));
      if (!made || !stream) return { exitCode: notRunning, errors: "" };
      const late = setTimeout(() => stream.destroy(), timeoutMs + engineSlackMs);
      const errors = new Collected(maxErrorBytes);
      let isOver = false;
      const output = async function* () {
        for await (const { stream: name, payload } of frames(stream)) {
          if (name === "out") yield payload;
          else errors.write(payload);
        }
        isOver = true;
      };
      let failure: unknown;
      try {
        await take(output());
      } catch (error) {
        failure = error;
      } finally {
        clearTimeout(late);
        stream.destroy();
      }
      const isLate = Date.now() - startedAt >= timeoutMs;
      if (isLate) return { exitCode: timedOut, errors: errors.text() };
      if (failure !== undefined && !isOver) throw failure;
      const exitCode = (await asking(what, () => made.inspect())).ExitCode ?? notRunning;
      if (failure !== undefined && exitCode === 0) throw failure;
      return { exitCode, errors: errors.text() };
    },

    async cpuMs(id) {
      const stats = await askingUnless([404, 409], "measuring a workspace", () =>
        docker.getContainer(id).stats({ stream: false, "one-shot": true }),
      );
      const usedNano = stats?.cpu_stats?.cpu_usage?.total_usage;
      return usedNano === undefined || usedNano === 0 ? undefined : usedNano / 1e6;
    },

    async findImage(name) {
      return (await inspectImage(name))?.Id;
    },

    async pull(name, signal) {
      try {
        const stream = await docker.pull(name, { abortSignal: signal });
        await new Promise<void>((resolve, reject) => {
          docker.modem.followProgress(stream, (error: Error | null) => (error ? reject(error) : resolve()));
          signal.addEventListener("abort", () => reject(signal.reason), { once: true });
        });
      } catch (error) {
        signal.throwIfAborted();
        throw new ActionNeededError(
          "PULL_FAILED",
          `the image ${name} cannot be fetched: ${messageOf(error)}`,
          {
            hint: "look at its name in workspace.yaml, and whether this machine reaches its registry",
            cause: error,
          },
        );
      }
      const id = (await inspectImage(name))?.Id;
      if (id !== undefined) return id;
      throw new ActionNeededError("PULL_FAILED", `the image ${name} was fetched and is not there`);
    },
  };
}

function toWorkspace(inspected: Docker.ContainerInspectInfo): WorkspaceContainer {
  const { State, Config, NetworkSettings } = inspected;
  const labels = Config.Labels;
  const state = State.Status === "created" ? "created" : State.Running ? "running" : "exited";
  const address = Object.values(NetworkSettings.Networks)
    .map(({ IPAddress }) => IPAddress)
    .find((one) => one !== "");
  return {
    id: inspected.Id,
    user: labels[workspaceLabel] ?? "",
    session: Number(labels[sessionLabel] ?? 0),
    state,
    ...(state === "exited" ? { exitCode: State.ExitCode } : {}),
    imageId: inspected.Image,
    ...(state === "running" && address !== undefined ? { address } : {}),
  };
}

/** Keeps the first bytes and swallows the rest, so that a command that prints without end does no harm. */
class Collected extends Writable {
  readonly #max: number;
  #chunks: Buffer[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    super();
    this.#max = maxBytes;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    const room = this.#max - this.#bytes;
    if (room > 0) this.#chunks.push(chunk.subarray(0, room));
    this.#bytes += chunk.length;
    done();
  }

  text(): string {
    return Buffer.concat(this.#chunks).toString("utf8");
  }
}
