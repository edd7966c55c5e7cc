import { ActionNeededError, TryLaterError } from "#core/errors";
import type { LfsPointer } from "./lfs-pointer.ts";

const batchDeadlineMs = 30_000;
const maxAnswerBytes = 4 * 1024 * 1024; // a batch of a hundred has less than 100 KiB
const objectsPerBatch = 100; // as git-lfs asks
const retryAfterMs = 5_000;
const maxRedirects = 3;
const mediaType = "application/vnd.git-lfs+json";

/** How a repository is reached, as `Forge.gitAccess` says. */
export interface LfsAccess {
  url: string;
  username: string;
  password: string;
}

/** Where one object is to be had. */
export interface LfsDownload {
  url: URL;
  headers: Record<string, string>;
}

/**
 * The Git LFS side of a Git host. The platform's token goes to the host itself and nowhere else. An object may lie
 * elsewhere only at an origin that the operator has named; it gets what the host has written for it, never the token.
 */
export class LfsServer {
  readonly #origins: ReadonlySet<string>;

  /** `origins`: besides the Git host's own, such as `https://objects.example.org`. */
  constructor(origins: readonly string[]) {
    this.#origins = new Set(origins.map((origin) => new URL(origin).origin));
  }

  /**
   * Where each object of this repository is. One that the host does not have is absent. A host without Git LFS is
   * `ActionNeededError("LFS_UNAVAILABLE")`, one that is down `TryLaterError`.
   */
  async locate(
    access: LfsAccess,
    objects: readonly LfsPointer[],
    signal: AbortSignal | undefined,
  ): Promise<Map<string, LfsDownload>> {
    const found = new Map<string, LfsDownload>();
    for (let from = 0; from < objects.length; from += objectsPerBatch) {
      const asked = objects.slice(from, from + objectsPerBatch);
      for (const entry of await this.#batch(access, asked, signal)) {
        const { oid, actions } = (entry ?? {}) as { oid?: unknown; actions?: { download?: unknown } };
        const { href, header } = (actions?.download ?? {}) as { href?: unknown; header?: unknown };
        if (typeof oid !== "string" || typeof href !== "string") continue;
        found.set(oid, this.#download(access, href, header));
      }
    }
    return found;
  }

  /** The bytes of an object; redirects are followed to known origins only, and without headers to another one. */
  async open({ url, headers }: LfsDownload, access: LfsAccess, signal: AbortSignal): Promise<Response> {
    let next = url;
    let sent = headers;
    for (let hop = 0; hop <= maxRedirects; hop += 1) {
      const answer = await ask(next, { headers: sent, redirect: "manual", signal });
      if (answer.status < 300 || answer.status >= 400) return answer;
      await answer.body?.cancel();
      const target = this.#known(access, new URL(answer.headers.get("location") ?? "", next));
      if (target.origin !== next.origin) sent = {};
      next = target;
    }
    throw new TryLaterError("The Git host sends us round in circles for a large file", { retryAfterMs });
  }

  async #batch(
    access: LfsAccess,
    objects: readonly LfsPointer[],
    signal: AbortSignal | undefined,
  ): Promise<unknown[]> {
    const deadline = AbortSignal.timeout(batchDeadlineMs);
    const answer = await ask(new URL(`${access.url}/info/lfs/objects/batch`), {
      method: "POST",
      headers: { ...authorization(access), accept: mediaType, "content-type": mediaType },
      body: JSON.stringify({
        operation: "download",
        transfers: ["basic"],
        objects: objects.map(({ oid, bytes }) => ({ oid, size: bytes })),
      }),
      redirect: "manual",
      signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
    });
    if (answer.status === 429 || answer.status >= 500) {
      await answer.body?.cancel();
      throw new TryLaterError(`The Git host answers ${answer.status} to Git LFS`, { retryAfterMs });
    }
    if (!answer.ok) {
      await answer.body?.cancel();
      throw new ActionNeededError("LFS_UNAVAILABLE", `the Git host answers ${answer.status} to Git LFS`, {
        hint: "switch Git LFS on for the project, and give the platform's token the scope api or read_repository",
      });
    }
    const body = await readJson(answer);
    const listed = (body as { objects?: unknown } | undefined)?.objects;
    if (Array.isArray(listed)) return listed as unknown[];
    throw new TryLaterError("The Git host's answer about large files cannot be read", { retryAfterMs });
  }

  #download(access: LfsAccess, href: string, header: unknown): LfsDownload {
    const url = this.#known(access, new URL(href, access.url));
    const headers = Object.fromEntries(
      Object.entries(typeof header === "object" && header !== null ? header : {}).filter(
        (entry): entry is [string, string] => typeof entry[1] === "string",
      ),
    );
    const isOwn = url.origin === new URL(access.url).origin;
    const isSigned = Object.keys(headers).some((name) => name.toLowerCase() === "authorization");
    return { url, headers: isOwn && !isSigned ? { ...headers, ...authorization(access) } : headers };
  }

  /** Nothing that a Git host answers makes us talk to an address nobody has named. */
  #known(access: LfsAccess, url: URL): URL {
    const isNamed = url.origin === new URL(access.url).origin || this.#origins.has(url.origin);
    if (isNamed && url.username === "" && url.password === "") return url;
    throw new ActionNeededError("LFS_UNAVAILABLE", `the Git host keeps large files at ${url.origin}`, {
      hint: "name that origin in DTAAS_LFS_ORIGINS, or let the Git host hand large files out itself",
    });
  }
}

function authorization({ username, password }: LfsAccess): { authorization: string } {
  return { authorization: `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}` };
}

async function ask(url: URL, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, init);
  } catch (cause) {
    throw new TryLaterError("The Git host cannot be reached for large files", { retryAfterMs, cause });
  }
}

async function readJson(answer: Response): Promise<unknown> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  try {
    for await (const piece of answer.body ?? []) {
      bytes += piece.byteLength;
      if (bytes > maxAnswerBytes) return undefined;
      pieces.push(piece);
    }
    return JSON.parse(Buffer.concat(pieces).toString("utf8"));
  } catch (cause) {
    if (cause instanceof SyntaxError) return undefined;
    throw new TryLaterError("The Git host's answer about large files broke off", { retryAfterMs, cause });
  }
}
