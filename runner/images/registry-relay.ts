import { randomBytes, timingSafeEqual } from "node:crypto";
import { createReadStream } from "node:fs";
import { rm, stat } from "node:fs/promises";
import http, { type IncomingMessage, type ServerResponse } from "node:http";
import { connect as connectTcp, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { pipeline } from "node:stream/promises";
import { ActionNeededError, isSystemError, messageOf } from "#core/errors";
import { isPublicName, publicAddressOf } from "#core/public-address";
import type { AptSource, MachineApt } from "./machine-apt.ts";
import type { PythonIndex } from "./python-index.ts";
import type { Upstream } from "./upstream-request.ts";

const aptHost = "apt.dtaas.internal";
const pythonHost = "pypi.dtaas.internal";
const headersTimeoutMs = 10_000;
const maxConnections = 64; // one build has one apt or one pip at work
const sourcePath = /^\/(\d{1,4})\/([A-Za-z0-9._~+:%@/-]+)$/;

/** What a relay hands on. */
export interface MachineRegistries {
  apt: MachineApt;
  python: PythonIndex;
  /** Where the machine says nothing, the image's own defaults hold: then hosts of the open internet may be reached. */
  mayPassThrough: boolean;
  upstream: Upstream;
}

export interface RegistryRelay {
  /** A proxy URL with credentials of its own, for one build. */
  proxyUrl: string;
  /** Takes everything out of a line of output that only this build may know. */
  redact(line: string): string;
  /** What went wrong on the machine's side, newest last; without URLs. */
  troubles: readonly string[];
  close(): Promise<void>;
}

/**
 * An HTTP proxy for one build, on an address that only builds reach. It answers for two names that exist nowhere else
 * and hand out what the machine's own apt and pip would fetch, so that no setting of the machine enters the image.
 */
export async function openRegistryRelay(host: string, machine: MachineRegistries): Promise<RegistryRelay> {
  const password = randomBytes(24).toString("hex");
  const expected = Buffer.from(`Basic ${Buffer.from(`build:${password}`).toString("base64")}`);
  const closing = new AbortController();
  const troubles: string[] = [];
  const sockets = new Set<Duplex>();
  const offered: AptSource[] = [];

  const isAllowed = (request: IncomingMessage): boolean => {
    const given = Buffer.from(request.headers["proxy-authorization"] ?? "");
    return given.length === expected.length && timingSafeEqual(given, expected);
  };
  const note = (error: unknown) => {
    if (!closing.signal.aborted && troubles.length < 20) troubles.push(withoutUrls(messageOf(error)));
  };

  const server = http.createServer((request, response) => {
    void answer(request, response).catch((error: unknown) => {
      note(error);
      if (response.headersSent) response.destroy();
      else reply(response, 502, "the machine's package registry cannot be reached\n");
    });
  });
  server.headersTimeout = headersTimeoutMs;
  server.maxConnections = maxConnections;
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  server.on("connect", (request: IncomingMessage, socket: Duplex) => {
    socket.on("error", () => socket.destroy());
    void tunnel(request, socket).catch((error: unknown) => {
      note(error);
      socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
    });
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!isAllowed(request)) {
      response.setHeader("proxy-authenticate", 'Basic realm="build"');
      return reply(response, 407, "");
    }
    if (request.method !== "GET" && request.method !== "HEAD") return reply(response, 405, "");
    const target = request.url ?? "";
    if (!URL.canParse(target)) return reply(response, 400, "this is a proxy\n");
    const url = new URL(target);
    const gone = new AbortController();
    response.on("close", () => gone.abort());
    const signal = AbortSignal.any([gone.signal, closing.signal]);
    if (url.hostname === aptHost) return answerApt(url, response, signal);
    if (url.hostname === pythonHost) return answerPython(url, response, signal);
    return passThrough(url, request, response, signal);
  }

  async function answerApt(url: URL, response: ServerResponse, signal: AbortSignal): Promise<void> {
    if (url.pathname === "/apt.conf") return reply(response, 200, await machine.apt.options());
    const codename = /^\/sources\/([a-z]{1,32})\.list$/.exec(url.pathname)?.[1];
    if (codename !== undefined) return reply(response, 200, await sourcesList(codename));
    const [, number, path = ""] = sourcePath.exec(url.pathname) ?? [];
    const source = offered[Number(number)];
    const isClimbing =
      path.split("/").some((part) => /^(\.|%2e){1,2}$/i.test(part)) || /%2f|%5c|%00/i.test(path);
    if (!source || isClimbing) return reply(response, 404, "");
    const file = await machine.apt.fetch(`${source.uri.replace(/\/*$/, "/")}${path}`, signal);
    if (file === "missing") return reply(response, 404, "");
    try {
      response.writeHead(200, { "content-length": (await stat(file.path)).size });
      await pipeline(createReadStream(file.path), response);
    } finally {
      await rm(file.folder, { recursive: true, force: true });
    }
  }

  async function sourcesList(codename: string): Promise<string> {
    const lines = (await machine.apt.sources(codename)).map((source) => {
      let number = offered.findIndex(({ uri }) => uri === source.uri);
      if (number < 0) number = offered.push(source) - 1;
      return `deb http://${aptHost}/${number} ${source.release} ${source.component}\n`;
    });
    return lines.join("");
  }

  async function answerPython(url: URL, response: ServerResponse, signal: AbortSignal): Promise<void> {
    if (url.pathname === "/pip.conf")
      return reply(response, 200, machine.python.pipConfig(`http://${pythonHost}`));
    const project = /^\/simple\/([A-Za-z0-9][A-Za-z0-9._-]{0,200})\/?$/.exec(url.pathname)?.[1];
    if (project !== undefined) {
      const page = await machine.python.page(project, signal);
      response.setHeader("content-type", "text/html; charset=utf-8");
      return reply(response, page === undefined ? 404 : 200, page ?? "");
    }
    const number = /^\/files\/(\d{1,9})\/[^/]+$/.exec(url.pathname)?.[1];
    const file = number === undefined ? undefined : await machine.python.file(Number(number), signal);
    if (!file) return reply(response, 404, "");
    response.writeHead(200, {
      "content-type": "application/octet-stream",
      ...(file.bytes === undefined ? {} : { "content-length": file.bytes }),
    });
    await pipeline(file.body, response);
  }

  /** Plain HTTP to the open internet, for the sources a base image brings along. */
  async function passThrough(
    url: URL,
    request: IncomingMessage,
    response: ServerResponse,
    signal: AbortSignal,
  ): Promise<void> {
    if (!machine.mayPassThrough || url.protocol !== "http:" || (url.port || "80") !== "80") {
      return reply(response, 403, "this host is not among the machine's package registries\n");
    }
    const headers = {
      host: url.host,
      accept: "*/*",
      ...copied(request, ["range", "if-range", "if-modified-since"]),
    };
    const viaProxy = machine.upstream.proxyFor(url);
    if (viaProxy && !isPublicName(url.hostname)) return reply(response, 403, "");
    const where = viaProxy
      ? { host: viaProxy.hostname, port: viaProxy.port || 80, path: url.href }
      : { host: await publicAddressOf(url.hostname), port: 80, path: `${url.pathname}${url.search}` };
    const upstream = await new Promise<IncomingMessage>((resolve, reject) => {
      http.get({ ...where, headers, signal }, resolve).on("error", reject);
    });
    const { "transfer-encoding": _, connection: __, ...passed } = upstream.headers;
    response.writeHead(upstream.statusCode ?? 502, passed);
    await pipeline(upstream, response);
  }

  async function tunnel(request: IncomingMessage, socket: Duplex): Promise<void> {
    const [, name = "", port] = /^([A-Za-z0-9.-]+):(\d+)$/.exec(request.url ?? "") ?? [];
    if (!isAllowed(request)) return void socket.end("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n");
    if (!machine.mayPassThrough || port !== "443" || !isPublicName(name)) {
      return void socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
    }
    const far = machine.upstream.proxyFor(new URL(`https://${name}`))
      ? await machine.upstream.connect(name, 443, closing.signal)
      : await connected(await publicAddressOf(name));
    sockets.add(far);
    far.on("error", () => socket.destroy());
    far.on("close", () => {
      sockets.delete(far);
      socket.destroy();
    });
    socket.on("close", () => far.destroy());
    socket.write("HTTP/1.1 200 Connection Established\r\n\r\n");
    far.pipe(socket).pipe(far);
  }

  const port = await listen(server, host);
  return {
    proxyUrl: `http://build:${password}@${host}:${port}`,
    troubles,
    redact: (line) => line.replaceAll(password, "[redacted]").replaceAll(`${host}:${port}`, "[relay]"),
    async close() {
      closing.abort();
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function reply(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "content-length": Buffer.byteLength(text) });
  response.end(text);
}

function listen(server: http.Server, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => {
      if (!isSystemError(error, "EADDRNOTAVAIL")) return reject(error);
      reject(
        new ActionNeededError(
          "RELAY_UNREACHABLE",
          `builds run on another machine: ${host} is not an address of ours`,
          {
            hint: "run the runner on the machine of the engine",
            cause: error,
          },
        ),
      );
    });
    server.listen(0, host, () => {
      const address = server.address();
      resolve(typeof address === "object" && address ? address.port : 0);
    });
  });
}

function connected(address: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connectTcp({ host: address, port: 443, timeout: 30_000 });
    socket.once("timeout", () => socket.destroy(new Error("no answer")));
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.setTimeout(0);
      resolve(socket);
    });
  });
}

function copied(request: IncomingMessage, names: string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => (request.headers[name] ? [[name, String(request.headers[name])]] : [])),
  );
}

/** Addresses of the machine's registries stay out of logs. */
function withoutUrls(text: string): string {
  return text.replace(/[a-z][a-z0-9+.-]*:\/\/\S+/gi, "[address]");
}
