import { Readable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import type Docker from "dockerode";
import { extract, pack } from "tar-stream";
import type { Containers } from "../engine.ts";
import { askingUnless, statusOf, toEngineError } from "./engine-error.ts";

const timedOut = 124; // as timeout(1) says
const notRunning = 125; // as `docker run` says when the engine could not do it
const pollsMs = [10, 20, 50, 100]; // then the last one again
const engineSlackMs = 5_000; // the command is killed inside; this is for an engine that does not answer

/** What happens inside a container: its files, ports, and commands in it. */
export function dockerInside(docker: Docker): Pick<Containers, "read" | "endpoint" | "exec"> {
  return {
    async read(id, path) {
      const archive = await askingUnless([404], `reading ${path}`, () =>
        docker.getContainer(id).getArchive({ path }),
      );
      return archive ? regularFiles(archive) : undefined;
    },

    async endpoint(id, port) {
      const found = await askingUnless([404], `looking at container ${id}`, () =>
        docker.getContainer(id).inspect(),
      );
      if (!found?.State.Running) return undefined;
      const addresses = Object.values(found.NetworkSettings.Networks).map((network) => network.IPAddress);
      const host = addresses.find((address) => address !== "");
      return host === undefined ? undefined : { host, port };
    },

    async exec(id, command, timeoutMs) {
      const container = docker.getContainer(id);
      // The engine cannot end a command it has started, so something inside has to.
      const seconds = (timeoutMs / 1000).toFixed(3);
      const Cmd = ["timeout", "--signal=KILL", seconds, ...command];
      const started = Date.now();
      try {
        const made = await askingUnless([404, 409], `a command in ${id}`, () => container.exec({ Cmd }));
        if (!made) return notRunning;
        const answer = await made.start({ Detach: true });
        answer.destroy(); // nothing comes; left open, each check would keep a connection to the engine
        for (let turn = 0; ; turn++) {
          const { Running, ExitCode } = await made.inspect();
          const late = Date.now() - started >= timeoutMs;
          if (!Running && ExitCode !== null) return late && ExitCode === 137 ? timedOut : ExitCode;
          if (Date.now() - started > timeoutMs + engineSlackMs) return timedOut;
          await delay(pollsMs[Math.min(turn, pollsMs.length - 1)]);
        }
      } catch (error) {
        const status = statusOf(error);
        if (status === 404 || status === 409) return notRunning; // it ended meanwhile
        throw toEngineError(error, `a command in ${id}`);
      }
    },
  };
}

/** Links, devices and the like are left out: what a twin writes must not lead anywhere. */
function regularFiles(archive: NodeJS.ReadableStream): NodeJS.ReadableStream {
  const out = pack();
  const entries = extract();
  entries.on("entry", (header, content, next) => {
    if (header.type !== "file") {
      content.on("end", next);
      content.resume();
      return;
    }
    const entry = out.entry(
      {
        name: header.name,
        ...(header.size === undefined ? {} : { size: header.size }),
        mode: 0o644,
        ...(header.mtime ? { mtime: header.mtime } : {}),
      },
      (error) => next(error ?? undefined),
    );
    content.on("error", (error: Error) => out.destroy(error));
    content.pipe(entry);
  });
  entries.on("finish", () => out.finalize());
  entries.on("error", (error: Error) => out.destroy(error));
  archive.on("error", (error: Error) => out.destroy(error));
  out.on("close", () => (archive as Readable).destroy());
  archive.pipe(entries);
  return Readable.from(out, { objectMode: false });
}
