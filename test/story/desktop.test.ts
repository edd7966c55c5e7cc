import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import WebSocket from "ws";
import type { Clone } from "./clone.ts";
import { Platform, until } from "./platform.ts";

const run = promisify(execFile);
const buildMs = 900_000; // a desktop is some hundred packages

describe("a user with a desktop", () => {
  let platform: Platform;
  let clone: Clone;
  let url: URL;
  let cookie = "";

  const container = async () => {
    const labels = [
      `label=dtaas.installation=${platform.settings.secrets.installation}`,
      "label=dtaas.workspace=user1",
    ];
    const { stdout } = await run("docker", ["ps", "-q", ...labels.flatMap((one) => ["--filter", one])]);
    return stdout.trim();
  };
  const inside = async (script: string) =>
    (await run("docker", ["exec", await container(), "bash", "-c", script])).stdout.trim();
  const get = (path: string) => fetch(new URL(path, url), { headers: { cookie }, redirect: "manual" });

  beforeAll(async () => {
    platform = await Platform.start({ users: ["user1"] });
    clone = await platform.clone("user1");
    await clone.write(
      "workspace.yaml",
      "apiVersion: dtaas/v1\nkind: Workspace\nspec: { template: desktop, resources: { cpus: 2, memory: 1Gi } }\n",
    );
    await clone.push("feat: a desktop");
  });
  afterAll(async () => {
    await platform?.close();
    if (clone) await rm(clone.folder, { recursive: true, force: true });
  });

  test(
    "starts it from packages of the distribution, without rights and on a read-only root",
    async () => {
      const start = await platform.cli("workspace", "start", "user1", "--timeout", String(buildMs / 1000));
      expect(start.stdout).toMatch(/^user1: ready/);
      const { body } = await platform.api("/workspaces/user1/services", { as: "user1" });
      expect((body as { items: { name: string }[] }).items.map(({ name }) => name)).toEqual([
        "desktop",
        "terminal",
      ]);
      expect(
        await inside(
          "id -u; touch /usr/x 2>&1 | tail -1; grep CapEff /proc/self/status; echo $MAIN_USER; pwd",
        ),
      ).toMatch(/^1000\n.*Read-only file system\nCapEff:\s+0000000000000000\nuser1\n\/workspace$/);
    },
    buildMs + 60_000,
  );

  test("opens it with the address that the command prints, and nobody gets in with less", async () => {
    const opened = await platform.api("/workspaces/user1/open", { method: "POST", as: "user1" });
    url = new URL((opened.body as { url: string }).url);
    expect(url.pathname).toBe("/desktop/");
    const first = await fetch(url, { redirect: "manual" });
    cookie = first.headers.get("set-cookie")?.split(";")[0] ?? "";
    expect(await (await get("/desktop/")).text()).toContain("<title>Desktop</title>");
    expect((await get("/desktop/vnc.html")).status).toBe(200);
    expect((await get("/desktop/core/rfb.js")).status).toBe(200);
    expect((await get("/terminal/")).status).toBe(200);
    expect((await get("/desktop/../../../run/dtaas/tool-key")).status).not.toBe(200);
    expect((await get("/desktop/%2e%2e/%2e%2e/run/dtaas/tool-key")).status).not.toBe(200);
    expect((await fetch(new URL("/desktop/", url))).status).toBe(401);
    // As a twin in the same network would: the key is asked for, and the display listens nowhere else.
    const address = (
      await run("docker", [
        "inspect",
        "-f",
        "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}",
        await container(),
      ])
    ).stdout.trim();
    for (const path of ["/desktop/", "/desktop/vnc.html", "/desktop/socket"]) {
      expect((await fetch(`http://${address}:7681${path}`)).status, path).toBe(401);
    }
    const listening = await inside("awk '$4 == \"0A\" { print $2 }' /proc/net/tcp /proc/net/tcp6 | sort -u");
    const places = listening.split("\n").filter((place) => !place.startsWith("0B00007F:")); // the engine's names
    expect(places.map((place) => Number.parseInt(place.split(":")[1] ?? "", 16))).toEqual([7681]);
  });

  test("sees it through the WebSocket of the proxy: a screen with a picture, as large as the browser wants", async () => {
    const screen = await look();
    expect(screen).toMatchObject({ name: "DTaaS", width: 1280, height: 800 });
    await until("the window manager has drawn something", async () => (await look()).colours > 3);
    await expect(look({})).rejects.toThrow("403");
    await expect(look({ cookie, origin: "http://127.0.0.1:1" })).rejects.toThrow("403");
  });

  test("works on it: a window with a program in the work tree", async () => {
    await inside(
      "DISPLAY=:1 timeout 20 xterm -e 'pwd > ~/from-the-desktop; git status -sb | head -1 >> ~/from-the-desktop'",
    );
    expect(await inside("cat ~/from-the-desktop")).toMatch(/^\/workspace\n## main/);
  });

  test("kills its window manager, and the session begins again with its files", async () => {
    const before = await container();
    await inside("pkill -x icewm-session; pkill -x icewm; true").catch(() => "");
    await until("another container runs", async () => {
      const now = await container();
      return (now !== "" && now !== before) || now;
    });
    await until("it is ready", async () => {
      const { state } = (await platform.api("/workspaces/user1", { as: "user1" })).body as { state: string };
      return state === "ready" || state;
    });
    expect(await inside("cat ~/from-the-desktop")).toContain("/workspace");
  });

  /** What a VNC client sees of the screen (RFC 6143): it says hello, asks for everything once, and counts colours. */
  async function look(headers: Record<string, string> = { cookie, origin: url.origin }) {
    const address = new URL("/desktop/socket", url);
    address.protocol = "ws:";
    address.search = "";
    const socket = new WebSocket(address, ["binary"], { headers });
    const bytes = new Received(socket);
    try {
      expect((await bytes.take(12)).toString()).toBe("RFB 003.008\n");
      socket.send("RFB 003.008\n");
      const [count = 0] = await bytes.take(1);
      expect([...(await bytes.take(count))]).toContain(1); // None: whoever is here has been let in
      socket.send(Buffer.from([1]));
      expect((await bytes.take(4)).readUInt32BE()).toBe(0);
      socket.send(Buffer.from([1]));
      const init = await bytes.take(24);
      const [width, height] = [init.readUInt16BE(0), init.readUInt16BE(2)];
      const name = (await bytes.take(init.readUInt32BE(20))).toString();
      socket.send(Buffer.from([2, 0, 0, 1, 0, 0, 0, 0])); // raw pixels
      const ask = Buffer.from([3, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
      ask.writeUInt16BE(width, 6);
      ask.writeUInt16BE(height, 8);
      socket.send(ask);
      const colours = new Set<number>();
      const head = await bytes.take(4);
      for (let rectangle = 0; rectangle < head.readUInt16BE(2); rectangle += 1) {
        const place = await bytes.take(12);
        const pixels = await bytes.take(place.readUInt16BE(4) * place.readUInt16BE(6) * 4);
        for (let at = 0; at < pixels.length; at += 4) colours.add(pixels.readUInt32LE(at));
      }
      return { name, width, height, colours: colours.size };
    } finally {
      socket.terminate();
    }
  }
});

/** What a socket has brought, taken a number of bytes at a time. */
class Received {
  #bytes = Buffer.alloc(0);
  #waiting: (() => void) | undefined;
  #failure: Error | undefined;

  constructor(socket: WebSocket) {
    socket.on("message", (data: Buffer) => {
      this.#bytes = Buffer.concat([this.#bytes, data]);
      this.#waiting?.();
    });
    const fail = (error: Error) => {
      this.#failure ??= error;
      this.#waiting?.();
    };
    socket.on("error", fail);
    socket.on("close", (code) => fail(new Error(`the socket was closed: ${code}`)));
  }

  async take(count: number): Promise<Buffer> {
    while (this.#bytes.length < count) {
      if (this.#failure) throw this.#failure;
      await new Promise<void>((resolve) => {
        this.#waiting = resolve;
      });
    }
    const taken = this.#bytes.subarray(0, count);
    this.#bytes = this.#bytes.subarray(count);
    return taken;
  }
}
