import { lookup } from "node:dns/promises";
import { ActionNeededError, TryLaterError } from "#core/errors";
import { isPublicAddress } from "#core/public-address";
import type { RemotePolicy } from "#schemas/remotes";

const retryAfterMs = 60_000;

/** An address that may be talked to, and the one IP address to connect to. */
export interface CheckedUrl {
  url: URL;
  /** IPv4 or IPv6, as it was checked. Whoever connects uses this and never asks the name again. */
  address: string;
  port: number;
}

/** Finds every address of a host. */
export type Lookup = (host: string) => Promise<string[]>;

/**
 * Whether users may name this address, decided before anything is sent. All addresses of the host have to be on the open
 * internet, unless platform.yaml allows this host and port to be private. Errors: `REMOTE_NOT_ALLOWED`; `TryLaterError` when
 * the name cannot be resolved.
 */
export async function checkRemoteUrl(
  text: string,
  policy: RemotePolicy,
  addressesOf: Lookup = lookUp,
): Promise<CheckedUrl> {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !["https:", "http:"].includes(url.protocol)) throw refused(text, "it is no https address");
  if (url.username !== "" || url.password !== "")
    throw refused(url.host, "it has a user name or password in it");
  if (url.search !== "" || url.hash !== "") throw refused(url.host, "it has more than a path");
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const port = Number(url.port || (url.protocol === "https:" ? 443 : 80));
  const isPrivate = policy.private.some((one) => one.toLowerCase() === `${url.hostname}:${port}`);
  const isListed = policy.hosts?.some((pattern) => matches(host, pattern.toLowerCase())) ?? true;
  if (!isPrivate && !isListed)
    throw refused(url.host, "platform.yaml does not list it in policies.remotes.hosts");
  if (!isPrivate && url.protocol === "http:") throw refused(url.host, "it is plain http");
  let addresses: string[];
  try {
    addresses = await addressesOf(host);
  } catch (cause) {
    throw new TryLaterError(`${host} cannot be resolved`, { retryAfterMs, cause });
  }
  const [address] = addresses;
  if (address === undefined) throw new TryLaterError(`${host} has no address`, { retryAfterMs });
  if (!isPrivate && !addresses.every(isPublicAddress)) {
    throw refused(url.host, "it is not on the open internet");
  }
  return { url, address, port };
}

/** For git: it connects to the checked address, whatever the name says by then. */
export function pinned({ url, address, port }: CheckedUrl): Record<string, string> {
  const to = address.includes(":") ? `[${address}]` : address;
  return { "http.curloptResolve": `${url.hostname}:${port}:${to}`, "http.proxy": "" };
}

async function lookUp(host: string): Promise<string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

function matches(host: string, pattern: string): boolean {
  return pattern.startsWith("*.") ? host.endsWith(pattern.slice(1)) : host === pattern;
}

function refused(what: string, why: string): ActionNeededError {
  return new ActionNeededError("REMOTE_NOT_ALLOWED", `The remote ${what} is not allowed: ${why}`, {
    where: { file: "workspace.yaml" },
    hint: "Name an https address on the open internet, or ask the administrators to allow it in platform.yaml (policies.remotes).",
  });
}
