import { once } from "node:events";
import { createServer, request as httpRequest, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** What stands between the platform and its Git host: nothing, an answer of its own, or silence. */
export type Fault = "none" | { status: number; headers?: Record<string, string> } | "silence" | "reset";

/** A detour to a server that fails when the test wants it to. */
export class FaultyProxy {
  fault: Fault = "none";
  /** Requests that met the fault that stands now; the test sets it back. */
  met = 0;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(target: string): Promise<FaultyProxy> {
    const server = createServer();
    const proxy = new FaultyProxy(server);
    server.on("request", (request, response) => {
      if (proxy.fault !== "none") proxy.met += 1;
      if (proxy.fault === "silence") return; // the client's patience decides
      if (proxy.fault === "reset") return void request.socket.destroy();
      if (proxy.fault !== "none") {
        response.writeHead(proxy.fault.status, proxy.fault.headers).end();
        return;
      }
      const { method, headers } = request;
      const onward = httpRequest(new URL(request.url ?? "/", target), { ...(method && { method }), headers });
      onward.on("response", (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      });
      onward.on("error", () => response.destroy());
      request.pipe(onward);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return proxy;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
