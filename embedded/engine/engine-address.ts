import { readFileSync } from "node:fs";
import type { RequestOptions } from "node:https";
import { join } from "node:path";
import { ActionNeededError } from "#core/errors";

export const defaultEngineSocket = "/var/run/docker.sock";

/** Where the engine listens, ready for `node:http` or `node:https`. */
export interface EngineAddress {
  /** As a person would write it. */
  text: string;
  protocol: "http:" | "https:";
  request: RequestOptions;
}

/**
 * Reads `DOCKER_HOST` (`unix:///path`, `tcp://host:port`; with `DOCKER_TLS_VERIFY` also the certificates in `DOCKER_CERT_PATH`);
 * without it the default socket. Anything else is `ActionNeededError("DOCKER_HOST_INVALID")`.
 */
export function engineAddress(
  environment: Readonly<Record<string, string | undefined>>,
  defaultSocket = defaultEngineSocket,
): EngineAddress {
  const text = environment["DOCKER_HOST"] || `unix://${defaultSocket}`;
  if (text.startsWith("unix://")) {
    return { text, protocol: "http:", request: { socketPath: text.slice("unix://".length) } };
  }
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !["tcp:", "http:", "https:"].includes(url.protocol)) {
    throw new ActionNeededError("DOCKER_HOST_INVALID", `DOCKER_HOST is ${text}, which cannot be read`, {
      hint: `write unix:///path or tcp://host:port, or leave it out for unix://${defaultSocket}`,
    });
  }
  const tls = url.protocol === "https:" || Boolean(environment["DOCKER_TLS_VERIFY"]);
  const request: RequestOptions = { host: url.hostname, port: url.port || (tls ? 2376 : 2375) };
  const folder = environment["DOCKER_CERT_PATH"];
  if (tls && folder) {
    request.ca = readFileSync(join(folder, "ca.pem"));
    request.cert = readFileSync(join(folder, "cert.pem"));
    request.key = readFileSync(join(folder, "key.pem"));
  }
  return { text, protocol: tls ? "https:" : "http:", request };
}
