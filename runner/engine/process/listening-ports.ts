import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { createServer } from "node:net";

const listening = "0A"; // the kernel's number of the state, as /proc/net/tcp writes it

/** TCP ports that one of these processes listens on. Nobody else's can be mistaken for theirs. */
export function listeningPorts(pids: readonly number[]): Set<number> {
  const mine = socketsOf(pids);
  const ports = new Set<number>();
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    for (const line of textOf(table).split("\n").slice(1)) {
      const fields = line.trim().split(/\s+/);
      const port = fields[1]?.split(":")[1];
      if (fields[3] === listening && port !== undefined && mine.has(fields[9] ?? "")) {
        ports.add(Number.parseInt(port, 16));
      }
    }
  }
  return ports;
}

/** A port of 127.0.0.1 that nobody listens on and that is not among `taken`. */
export async function choosePort(taken: ReadonlySet<number>): Promise<number> {
  for (;;) {
    const port = await new Promise<number>((resolve, reject) => {
      const probe = createServer();
      probe.once("error", reject);
      probe.listen({ port: 0, host: "127.0.0.1" }, () => {
        const address = probe.address();
        probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
      });
    });
    if (!taken.has(port)) return port;
  }
}

/** Inodes of the sockets that these processes hold. */
function socketsOf(pids: readonly number[]): Set<string> {
  const inodes = new Set<string>();
  for (const pid of pids) {
    try {
      for (const name of readdirSync(`/proc/${pid}/fd`)) {
        const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${name}`))?.[1];
        if (inode !== undefined) inodes.add(inode);
      }
    } catch {
      // ended meanwhile, or not ours to look into
    }
  }
  return inodes;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // another system
  }
}
