import { setTimeout as sleep } from "node:timers/promises";
import { LRUCache } from "lru-cache";
import { ActionNeededError, TryLaterError } from "#core/errors";
import { delayBeforeNextMs } from "../back-off.ts";
import { askedPauseMs, limitPauseMs } from "./back-off.ts";
import { GitHubAnswer, refusal } from "./errors.ts";

const attemptTimeoutMs = 15_000;
const budgetMs = 30_000; // one call with all its attempts; after that the queue tries again
const retryAfterMs = 5_000; // what we suggest when the host suggests nothing
const maxRedirects = 3;
// Answers that are asked for again with their ETag: "not modified" costs nothing of the hourly limit.
const maxKept = 2_000;
const maxKeptCharacters = 16 * 1024 * 1024;

export interface ConnectionOptions {
  attemptTimeoutMs?: number;
  budgetMs?: number;
  /** Ends whatever is under way when the process stops. */
  signal?: AbortSignal;
  /** Waits; tests pass one that does not. */
  pause?: (ms: number, signal?: AbortSignal) => Promise<void>;
}

interface Kept {
  etag: string;
  headers: [string, string][];
  text: string;
}

/**
 * Carries the requests of one account to GitHub, in place of octokit's `fetch`. A host that is down, slow or asks for a pause
 * beyond the budget is `TryLaterError`; see `refusal` for the rest. A request that might have been carried out is repeated
 * only when doing it twice is harmless.
 */
export class Connection {
  readonly #options: ConnectionOptions;
  // Milliseconds since 1970. A limit counts for the whole account, so everybody waits; GraphQL has one of its own.
  readonly #pausedUntil = { rest: 0, graphql: 0 };
  readonly #kept = new LRUCache<string, Kept>({
    max: maxKept,
    maxSize: maxKeptCharacters,
    sizeCalculation: ({ text }) => text.length + 1,
  });

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** In the shape of `fetch`. Every answer that comes back is a success with JSON, or has no body. */
  readonly send = async (address: string, init: RequestInit = {}): Promise<Response> => {
    const url = new URL(address);
    const method = init.method ?? "GET";
    const limit = url.pathname.endsWith("/graphql") ? "graphql" : "rest";
    const deadline = Date.now() + (this.#options.budgetMs ?? budgetMs);
    const kept = method === "GET" ? this.#kept.get(address) : undefined;
    const headers = new Headers(init.headers);
    if (kept) headers.set("if-none-match", kept.etag);
    // Else `fetch` adds that it wants nothing of a cache, to which some servers answer in full.
    const sent = { ...init, method, headers, cache: kept ? "no-cache" : "default" } as RequestInit;
    await this.#waitUntil(this.#pausedUntil[limit], deadline);
    for (let number = 0; ; number += 1) {
      const answer = await this.#attempt(url, sent, deadline);
      let pause: number | undefined;
      let what = "GitHub cannot be reached";
      if (answer instanceof Response) {
        pause = askedPauseMs(answer.headers, Date.now());
        if (pause !== undefined) this.#pausedUntil[limit] = Date.now() + pause;
        if (answer.status === 304 && kept) return again(address, kept, answer);
        if (answer.ok) return await this.#read(address, method, answer);
        const said = await wordsOf(answer);
        what = `GitHub answers ${answer.status}`;
        if (answer.status === 403 || answer.status === 429) {
          pause = limitPauseMs({ ...said, status: answer.status, headers: answer.headers }, Date.now());
          if (pause === undefined) throw refusal(answer.status, said.message);
          this.#pausedUntil[limit] = Date.now() + pause;
        } else if (!isPassing(answer.status)) {
          throw refusal(answer.status, said.message);
        } else if (!isHarmlessTwice(method, url) && answer.status !== 503) {
          throw new TryLaterError(what, { retryAfterMs });
        }
      } else if (!isHarmlessTwice(method, url) && !answer.neverSent) {
        throw new TryLaterError(what, { retryAfterMs, cause: answer.error });
      }
      const cause = answer instanceof Response ? undefined : answer.error;
      const delayMs = delayBeforeNextMs(pause, { number, now: Date.now(), random: Math.random() });
      await this.#waitUntil(Date.now() + delayMs, deadline, what, cause);
    }
  };

  /**
   * The bytes of a text from `offset` on, at most `maxBytes`. GitHub sends us on to a store of its own, where the token does not go.
   * A store that knows no ranges sends all of it, and what comes before is passed over.
   */
  async readText(
    address: string,
    headers: Record<string, string>,
    { offset, maxBytes }: { offset: number; maxBytes: number },
  ): Promise<Buffer> {
    const timeout = AbortSignal.timeout(this.#options.budgetMs ?? budgetMs);
    const signal = this.#options.signal ? AbortSignal.any([timeout, this.#options.signal]) : timeout;
    const range = { range: `bytes=${offset}-${offset + maxBytes - 1}` };
    try {
      let answer = await fetch(address, { headers: { ...headers, ...range }, redirect: "manual", signal });
      const location = answer.status >= 300 && answer.status < 400 ? answer.headers.get("location") : null;
      if (location !== null) {
        await answer.body?.cancel();
        answer = await fetch(storeOf(location, address), { headers: range, redirect: "error", signal });
      }
      if (answer.status === 416) return Buffer.alloc(0); // nothing lies behind the offset
      if (answer.ok) return await readPart(answer, answer.status === 206 ? 0 : offset, maxBytes);
      const { message } = await wordsOf(answer);
      if (isPassing(answer.status) || answer.status === 429)
        throw new TryLaterError(message, { retryAfterMs });
      throw refusal(answer.status, message);
    } catch (error) {
      if (
        error instanceof ActionNeededError ||
        error instanceof TryLaterError ||
        error instanceof GitHubAnswer
      )
        throw error;
      throw new TryLaterError("GitHub's text broke off", { retryAfterMs, cause: error });
    }
  }

  /** Read here and whole: octokit takes a body that breaks off for an empty one. */
  async #read(address: string, method: string, answer: Response): Promise<Response> {
    const { status } = answer;
    if (status === 204 || status === 205) return new Response(null, { status, headers: answer.headers });
    let text: string;
    try {
      text = await answer.text();
    } catch (cause) {
      throw new TryLaterError("GitHub's answer broke off", { retryAfterMs, cause });
    }
    if (
      !/^application\/(?:[\w.+-]+\+)?json\b/.test(answer.headers.get("content-type") ?? "") ||
      !isJson(text)
    ) {
      throw new ActionNeededError(
        "FORGE_ANSWER_ODD",
        `${new URL(address).origin} does not answer like GitHub`,
        {
          hint: "Check the address; a sign-in page or a proxy may stand before it.",
        },
      );
    }
    const etag = answer.headers.get("etag");
    const headers = [...answer.headers.entries()];
    if (method === "GET" && etag !== null) this.#kept.set(address, { etag, headers, text });
    return located(address, new Response(text, { status, headers }));
  }

  async #waitUntil(until: number, deadline: number, what = "GitHub asks for a pause", cause?: unknown) {
    const now = Date.now();
    if (until <= now) return;
    if (until >= deadline) {
      throw new TryLaterError(what, { retryAfterMs: Math.max(Math.ceil(until - now), retryAfterMs), cause });
    }
    try {
      await (this.#options.pause ?? pauseFor)(until - now, this.#options.signal);
    } catch {
      throw stopped();
    }
  }

  async #attempt(
    url: URL,
    init: RequestInit,
    deadline: number,
  ): Promise<Response | { error: unknown; neverSent: boolean }> {
    const longest = Math.min(this.#options.attemptTimeoutMs ?? attemptTimeoutMs, deadline - Date.now());
    const timeout = AbortSignal.timeout(Math.max(longest, 1));
    const signal = this.#options.signal ? AbortSignal.any([timeout, this.#options.signal]) : timeout;
    try {
      return await follow(url, init, signal);
    } catch (error) {
      if (error instanceof ActionNeededError) throw error;
      if (this.#options.signal?.aborted) throw stopped();
      return { error, neverSent: neverSent(error) };
    }
  }
}

/** Sends once; a redirect is followed on the same host only, because the token travels along. */
async function follow(first: URL, init: RequestInit, signal: AbortSignal): Promise<Response> {
  let url = first;
  for (let hop = 0; hop <= maxRedirects; hop += 1) {
    const response = await fetch(url, { ...init, redirect: "manual", signal });
    if (response.status < 300 || response.status >= 400 || response.status === 304) return response;
    await response.body?.cancel();
    const location = response.headers.get("location");
    const next = location === null ? undefined : new URL(location, url);
    if (init.method !== "GET" || next === undefined || next.origin !== url.origin) break;
    url = next;
  }
  throw new ActionNeededError("FORGE_REDIRECTS", `GitHub at ${first.origin} sends us elsewhere`, {
    hint: "Give the address that people use, and check that no repository was renamed.",
  });
}

/** A kept answer with the headers of the newer word that it still holds. */
function again(address: string, kept: Kept, answer: Response): Response {
  const headers = new Headers(kept.headers);
  for (const name of ["date", "x-ratelimit-remaining", "x-ratelimit-reset"]) {
    const value = answer.headers.get(name);
    if (value !== null) headers.set(name, value);
  }
  return located(address, new Response(kept.text, { status: 200, headers }));
}

/** octokit's pages look at where an answer came from. */
function located(address: string, response: Response): Response {
  return Object.defineProperty(response, "url", { value: address });
}

/** Never to a weaker connection than GitHub's own. */
function storeOf(location: string, address: string): URL {
  const store = new URL(location, address);
  if (store.protocol === "https:" || store.origin === new URL(address).origin) return store;
  throw new ActionNeededError("FORGE_REDIRECTS", `GitHub sends us to ${store.origin}`);
}

async function readPart(response: Response, skip: number, maxBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let [left, passOver] = [maxBytes, skip];
  for await (const chunk of response.body ?? []) {
    const kept = chunk.subarray(Math.min(passOver, chunk.length)).subarray(0, left);
    passOver -= Math.min(passOver, chunk.length);
    left -= kept.length;
    chunks.push(kept);
    if (left === 0) break; // leaving the loop ends the transfer
  }
  return Buffer.concat(chunks);
}

function isPassing(status: number): boolean {
  return [408, 500, 502, 503, 504].includes(status);
}

/** Objects of Git have the same name when they are made twice; a status is replaced by the same one; GraphQL only asks or marks. */
function isHarmlessTwice(method: string, { pathname }: URL): boolean {
  return method !== "POST" || /\/(graphql|git\/(blobs|trees|commits)|statuses\/[^/]+)$/.test(pathname);
}

/** The connection was refused or the name is unknown: nothing can have happened at the other end. */
function neverSent(error: unknown): boolean {
  const code = error instanceof Error ? (error.cause as { code?: unknown } | undefined)?.code : undefined;
  return code === "ECONNREFUSED" || code === "ENOTFOUND" || code === "EAI_AGAIN";
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** GitHub's own words, without markup and not too many. */
async function wordsOf(response: Response): Promise<{ message: string; documentationUrl: string }> {
  const text = await response.text().catch(() => "");
  const fallback = { message: `status ${response.status}`, documentationUrl: "" };
  try {
    const body = JSON.parse(text) as { message?: unknown; errors?: unknown; documentation_url?: unknown };
    const details = body.errors === undefined ? "" : ` ${JSON.stringify(body.errors)}`;
    const message = `${String(body.message ?? fallback.message)}${details}`.slice(0, 300);
    return { message, documentationUrl: String(body.documentation_url ?? "") };
  } catch {
    return fallback;
  }
}

function stopped(): TryLaterError {
  return new TryLaterError("The request was given up: the platform stops", { retryAfterMs });
}

async function pauseFor(ms: number, signal?: AbortSignal): Promise<void> {
  await sleep(ms, undefined, signal ? { signal } : {});
}
