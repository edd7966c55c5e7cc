import type Docker from "dockerode";
import { SerialByKey } from "#core/serial-by-key";
import { askingUnless, toEngineError } from "./engine-error.ts";
import { frames } from "./frames.ts";
import { engineName, installationLabel, purposeLabel } from "./labels.ts";

const target = "/worktrees";
const deadlineS = 60; // for millions of small files
const memoryBytes = 256 * 1024 ** 2; // du remembers files with several names
const maxOutputBytes = 1024;

export interface WorktreeUsage {
  /** Bytes on disk of `<worktrees>/<user>`; `undefined`: it takes too long to count. */
  usage(user: string): Promise<number | undefined>;
  /** Takes away what measures. */
  close(): Promise<void>;
}

/**
 * What the files of workspaces take. They are counted by a container of our own that sees them read-only and nothing else: from outside
 * no path of them is followed, and unlike a program inside of the workspace it counts what its user has closed to himself.
 */
export function dockerWorktreeUsage(
  docker: Docker,
  installation: string,
  { folder, image }: { folder: string /** Id of any image that has `du`. */; image: () => Promise<string> },
): WorktreeUsage {
  const name = engineName(installation, "measure");
  const what = "measuring a workspace";
  const serial = new SerialByKey();

  async function make(): Promise<void> {
    const Image = await image();
    await askingUnless([409], what, () =>
      docker.createContainer({
        name,
        Image,
        Labels: { [installationLabel]: installation, [purposeLabel]: "measure" },
        Entrypoint: ["sleep", "infinity"],
        User: "0:0",
        NetworkDisabled: true,
        HostConfig: {
          CapDrop: ["ALL"],
          CapAdd: ["DAC_READ_SEARCH"],
          SecurityOpt: ["no-new-privileges"],
          ReadonlyRootfs: true,
          Memory: memoryBytes,
          MemorySwap: memoryBytes,
          PidsLimit: 32,
          LogConfig: { Type: "none", Config: {} },
          Mounts: [{ Type: "bind", Source: folder, Target: target, ReadOnly: true }],
        },
      }),
    );
    await askingUnless([304], what, () => docker.getContainer(name).start());
  }

  /** The one that is there, or a new one: it may have been ended by somebody, or lie over another data folder. */
  async function ensure(): Promise<void> {
    const found = await askingUnless([404], what, () => docker.getContainer(name).inspect());
    const isOurs = found?.Mounts.some(({ Source }) => Source === folder) === true;
    if (found?.State.Running && isOurs) return;
    if (found) await askingUnless([404], what, () => docker.getContainer(name).remove({ force: true }));
    await make();
  }

  async function count(user: string): Promise<number | undefined> {
    const du = ["du", "-s", "-x", "-B1", "--", `${target}/${user}`];
    try {
      const made = await docker.getContainer(name).exec({
        Cmd: ["timeout", "--signal=KILL", String(deadlineS), ...du],
        Env: ["LC_ALL=C"],
        AttachStdout: true,
        AttachStderr: true,
      });
      const stream = await made.start({ hijack: true });
      let text = "";
      for await (const { stream: kind, payload } of frames(stream)) {
        if (kind === "out" && text.length < maxOutputBytes) text += payload.toString("latin1");
      }
      // Files that go while it counts make it end with 1 and a total all the same.
      const bytes = Number.parseInt(text, 10);
      if (!Number.isNaN(bytes)) return bytes;
      return (await made.inspect()).ExitCode === 1 ? 0 : undefined; // there is nothing yet
    } catch (error) {
      throw toEngineError(error, what);
    }
  }

  return {
    usage: (user) =>
      serial.run("measure", async () => {
        await ensure();
        return await count(user);
      }),
    async close() {
      await docker
        .getContainer(name)
        .remove({ force: true })
        .catch(() => undefined); // it is not there, or the engine is away: then it is found again at the next start
    },
  };
}
