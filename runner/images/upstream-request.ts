import { readFile } from "node:fs/promises";
import http from "node:http";
import https from "node:https";
import type { Socket } from "node:net";
import tls from "node:tls";
import type { MachinePip } from "./machine-pip.ts";

const idleMs = 60_000;
const maxRedirects = 5;

/** How this machine reaches registries. */
export interface Upstream {
  /** Follows redirects; credentials go to the host they belong to only. */
  get(url: URL, signal: AbortSignal): Promise<http.IncomingMessage>;
  /** A raw connection to this host, through the machine's proxy where it has one for it. */
  connect(host: string, port: number, signal: AbortSignal): Promise<Socket>;
  /** The proxy in charge of a URL. */
  proxyFor(url: URL): URL | undefined;
}

export function machineUpstream(
  pip: Pick<MachinePip, "cert" | "clientCert" | "proxy" | "trustedHosts">,
  environment: NodeJS.ProcessEnv,
): Upstream {
  const tlsFiles = once(async () => {
    const ca = pip.cert === undefined ? undefined : await readFile(pip.cert);
    const client = pip.clientCert === undefined ? undefined : await readFile(pip.clientCert);
    return { ...(ca ? { ca } : {}), ...(client ? { cert: client, key: client } : {}) };
  });
  const proxyFor = (url: URL) => findProxy(url, pip.proxy, environment);

  async function connect(host: string, port: number, signal: AbortSignal): Promise<Socket> {
    const proxy = proxyFor(new URL(`https://${host}:${port}`));
    if (!proxy) throw new Error("no proxy to connect through");
    const request = http.request({
      host: proxy.hostname,
      port: proxy.port || 80,
      method: "CONNECT",
      path: `${host}:${port}`,
      headers: { host: `${host}:${port}`, ...proxyAuthorization(proxy) },
      signal,
    });
    request.setTimeout(idleMs, () => request.destroy(new Error("the proxy does not answer")));
    return new Promise((resolve, reject) => {
      request.on("error", reject);
      request.on("response", (response) => reject(new Error(`the proxy answered ${response.statusCode}`)));
      request.on("connect", (response, socket) => {
        if (response.statusCode === 200) return resolve(socket);
        socket.destroy();
        reject(new Error(`the proxy answered ${response.statusCode}`));
      });
      request.end();
    });
  }

  async function getOnce(url: URL, signal: AbortSignal): Promise<http.IncomingMessage> {
    const proxy = proxyFor(url);
    const headers = { host: url.host, accept: "text/html, */*;q=0.1", ...authorization(url) };
    const shared = { method: "GET", signal, headers };
    let request: http.ClientRequest;
    if (url.protocol === "https:") {
      const insecure = pip.trustedHosts.some((host) => host === url.host || host === url.hostname);
      const security = { ...(await tlsFiles()), servername: url.hostname, rejectUnauthorized: !insecure };
      const socket = proxy ? await connect(url.hostname, Number(url.port || 443), signal) : undefined;
      request = https.request(url, {
        ...shared,
        ...security,
        auth: null,
        ...(socket ? { agent: false, createConnection: () => tls.connect({ ...security, socket }) } : {}),
      });
    } else if (proxy) {
      const bare = new URL(url);
      bare.username = "";
      bare.password = "";
      request = http.request({
        ...shared,
        host: proxy.hostname,
        port: proxy.port || 80,
        path: bare.href,
        headers: { ...headers, ...proxyAuthorization(proxy) },
      });
    } else request = http.request(url, { ...shared, auth: null });
    request.setTimeout(idleMs, () => request.destroy(new Error(`${url.hostname} does not answer`)));
    return new Promise((resolve, reject) => {
      request.on("error", reject);
      request.on("response", resolve);
      request.end();
    });
  }

  return {
    proxyFor,
    connect,
    async get(start, signal) {
      let url = start;
      for (let hop = 0; hop <= maxRedirects; hop++) {
        const response = await getOnce(url, signal);
        const { location } = response.headers;
        if (!location || ![301, 302, 303, 307, 308].includes(response.statusCode ?? 0)) return response;
        response.resume();
        const next = new URL(location, withoutCredentials(url));
        if (next.protocol !== "http:" && next.protocol !== "https:")
          throw new Error("a redirect to another protocol");
        if (next.protocol === "http:" && url.protocol === "https:")
          throw new Error("a redirect to plain http");
        url = withCredentialsOf(next, start);
      }
      throw new Error("too many redirects");
    },
  };
}

/** Credentials of one URL on another of the same host and port, as pip does. */
export function withCredentialsOf(url: URL, owner: URL): URL {
  const full = new URL(url);
  if (full.host === owner.host && full.protocol === owner.protocol && full.username === "") {
    full.username = owner.username;
    full.password = owner.password;
  }
  return full;
}

function withoutCredentials(url: URL): URL {
  const bare = new URL(url);
  bare.username = "";
  bare.password = "";
  return bare;
}

function findProxy(url: URL, ofPip: string | undefined, environment: NodeJS.ProcessEnv): URL | undefined {
  const read = (name: string) => environment[name] || environment[name.toUpperCase()] || undefined;
  const never = (read("no_proxy") ?? "").split(",").map((host) => host.trim().replace(/^\*?\./, ""));
  const { hostname } = url;
  if (
    never.some(
      (host) => host === "*" || (host !== "" && (hostname === host || hostname.endsWith(`.${host}`))),
    )
  ) {
    return undefined;
  }
  const scheme = url.protocol.slice(0, -1);
  const text = ofPip ?? read(`${scheme}_proxy`) ?? read("all_proxy");
  if (text === undefined) return undefined;
  return new URL(text.includes("://") ? text : `http://${text}`);
}

function authorization(url: URL): Record<string, string> {
  return url.username === "" ? {} : { authorization: basic(url) };
}

function proxyAuthorization(proxy: URL): Record<string, string> {
  return proxy.username === "" ? {} : { "proxy-authorization": basic(proxy) };
}

function basic(url: URL): string {
  const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
  return `Basic ${Buffer.from(pair).toString("base64")}`;
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
