import { createServer, type Server } from "node:http";
import type { Registry } from "prom-client";
import { messageOf } from "#core/errors";

export interface Probes {
  close(): Promise<void>;
}

/**
 * Answers `/healthz` (the process lives), `/readyz` (each part by name, 503 when one is missing) and `/metrics` on
 * loopback. Nothing here says anything about users or twins.
 */
export async function serveProbes(
  port: number,
  registry: Registry,
  parts: Record<string, () => Promise<unknown>>,
): Promise<Probes> {
  const server = createServer((request, response) => {
    const answer = (status: number, type: string, body: string) =>
      response.writeHead(status, { "content-type": type }).end(body);
    const path = request.url?.split("?")[0];
    if (path === "/healthz") return answer(200, "application/json", '{"state":"up"}');
    if (path === "/readyz") {
      void readiness(parts).then(({ isReady, states }) =>
        answer(isReady ? 200 : 503, "application/json", JSON.stringify(states)),
      );
      return undefined;
    }
    if (path === "/metrics") {
      void registry.metrics().then((text) => answer(200, registry.contentType, text));
      return undefined;
    }
    return answer(404, "application/json", '{"title":"there is nothing here"}');
  });
  await listen(server, port);
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function readiness(
  parts: Record<string, () => Promise<unknown>>,
): Promise<{ isReady: boolean; states: Record<string, string> }> {
  const states: Record<string, string> = {};
  await Promise.all(
    Object.entries(parts).map(async ([name, ask]) => {
      states[name] = await ask().then(
        () => "up",
        (error: unknown) => messageOf(error),
      );
    }),
  );
  return { isReady: Object.values(states).every((state) => state === "up"), states };
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => resolve());
  });
}
