import { setTimeout as sleep } from "node:timers/promises";
import type { FormattedResponse } from "@gitbeaker/requester-utils";
import { ActionNeededError, TryLaterError } from "#core/errors";
import { askedPauseMs, delayBeforeNextMs } from "./back-off.ts";
import { GitLabAnswer, refusal } from "./errors.ts";

const attemptTimeoutMs = 15_000;
const budgetMs = 30_000; // one call with all its attempts; after that the queue tries again
const retryAfterMs = 5_000; // what we suggest when the host suggests nothing
const maxRedirects = 3;

/** Beside the root of REST, as an endpoint relative to it. */
export const graphQl = "../graphql";

export interface ConnectionOptions {
  attemptTimeoutMs?: number;
  budgetMs?: number;
  /** Ends whatever is under way when the process stops. */
  signal?: AbortSignal;
  /** Waits; tests pass one that does not. */
  pause?: (ms: number, signal?: AbortSignal) => Promise<void>;
}

interface Sent {
  url: URL;
  method: string;
  headers: Record<string, string>;
  body: string | FormData | undefined;
}

/**
 * Carries the requests of one account to GitLab, in place of gitbeaker's own transport, which repeats refused requests
 * at once and does not see `Retry-After`. A host that is down, slow or asks for a pause beyond the budget is
 * `TryLaterError`; see `refusal` for the rest. A request that might have been carried out is repeated only when doing
 * it twice is harmless.
 */
export class Connection {
  readonly #options: ConnectionOptions;
  #pausedUntil = 0; // milliseconds since 1970; a limit counts for the whole account, so everybody waits

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /** The signature that gitbeaker expects of a request handler. */
  readonly send = async (
    endpoint: string,
    options: Record<string, unknown> = {},
  ): Promise<FormattedResponse> => {
    const sent = toSent(endpoint, options);
    return await parse(await this.#exchange(endpoint, sent), sent.url);
  };

  /**
   * The bytes of a text from `offset` on, at most `maxBytes`. A host that knows no ranges sends all of it, and what comes
   * before is passed over while it comes.
   */
  async readText(
    endpoint: string,
    options: Record<string, unknown>,
    { offset, maxBytes }: { offset: number; maxBytes: number },
  ): Promise<Buffer> {
    const headers = { ...(options["headers"] as object), accept: "text/plain", range: `bytes=${offset}-` };
    const sent = toSent(endpoint, { ...options, headers });
    let answer: Response;
    try {
      answer = await this.#exchange(endpoint, sent);
    } catch (error) {
      // Nothing lies behind the offset.
      if (error instanceof GitLabAnswer && error.status === 416) return Buffer.alloc(0);
      throw error;
    }
    return await readPart(answer, answer.status === 206 ? 0 : offset, maxBytes);
  }

  async #exchange(endpoint: string, sent: Sent): Promise<Response> {
    const isStatus = /^projects\/[^/]+\/statuses\//.test(endpoint);
    const isQuestion = endpoint === graphQl; // we ask nothing there that changes anything
    const twiceIsHarmless = sent.method !== "POST" || isStatus || isQuestion;
    const deadline = Date.now() + (this.#options.budgetMs ?? budgetMs);
    await this.#waitUntil(this.#pausedUntil, deadline);
    for (let number = 0; ; number += 1) {
      const answer = await this.#attempt(sent, deadline);
      if (answer instanceof Response) {
        const pause = askedPauseMs(answer.headers, Date.now());
        if (pause !== undefined) this.#pausedUntil = Date.now() + pause;
        if (answer.ok) return answer;
        if (!isPassing(answer.status, isStatus)) throw refusal(answer.status, await wordsOf(answer));
        await answer.body?.cancel();
        if (!twiceIsHarmless && answer.status !== 429 && answer.status !== 503) {
          throw new TryLaterError(`GitLab answers ${answer.status}`, { retryAfterMs });
        }
      } else if (!twiceIsHarmless && !answer.neverSent) {
        throw new TryLaterError("GitLab cannot be reached", { retryAfterMs, cause: answer.error });
      }
      const headers = answer instanceof Response ? answer.headers : undefined;
      const delayMs = delayBeforeNextMs(headers, { number, now: Date.now(), random: Math.random() });
      const what =
        answer instanceof Response ? `GitLab answers ${answer.status}` : "GitLab cannot be reached";
      const cause = answer instanceof Response ? undefined : answer.error;
      await this.#waitUntil(Date.now() + delayMs, deadline, what, cause);
    }
  }

  async #waitUntil(
    until: number,
    deadline: number,
    what = "GitLab asks for a pause",
    cause?: unknown,
  ): Promise<void> {
    const now = Date.now();
    if (until <= now) return;
    if (until >= deadline) {
      throw new TryLaterError(what, { retryAfterMs: Math.max(Math.ceil(until - now), retryAfterMs), cause });
    }
    try {
      await (this.#options.pause ?? pauseFor)(until - now, this.#options.signal);
    } catch {
      throw new TryLaterError("The request was given up: the platform stops", { retryAfterMs });
    }
  }

  async #attempt(sent: Sent, deadline: number): Promise<Response | { error: unknown; neverSent: boolean }> {
    const ms = Math.max(
      Math.min(this.#options.attemptTimeoutMs ?? attemptTimeoutMs, deadline - Date.now()),
      1,
    );
    const timeout = AbortSignal.timeout(ms);
    const signal = this.#options.signal ? AbortSignal.any([timeout, this.#options.signal]) : timeout;
    try {
      return await follow(sent, signal);
    } catch (error) {
      if (error instanceof ActionNeededError) throw error;
      if (this.#options.signal?.aborted) {
        throw new TryLaterError("The request was given up: the platform stops", { retryAfterMs });
      }
      return { error, neverSent: neverSent(error) };
    }
  }
}

/** Sends once; a redirect is followed on the same host only, because the token travels along. */
async function follow(sent: Sent, signal: AbortSignal): Promise<Response> {
  let url = sent.url;
  for (let hop = 0; hop <= maxRedirects; hop += 1) {
    const { method, headers, body } = sent;
    const response = await fetch(url, { method, headers, body: body ?? null, redirect: "manual", signal });
    if (response.status < 300 || response.status >= 400) return response;
    await response.body?.cancel();
    const location = response.headers.get("location");
    const next = location === null ? undefined : new URL(location, url);
    if (method !== "GET" || next === undefined || next.origin !== url.origin) break;
    url = next;
  }
  throw new ActionNeededError("FORGE_REDIRECTS", `GitLab at ${url.origin} sends us elsewhere`, {
    hint: "Give the address that GitLab itself calls its external URL.",
  });
}

/** The same request may fare better later. GitLab answers 409 while it works on another status of the same commit. */
function isPassing(status: number, isStatus: boolean): boolean {
  return [408, 429, 500, 502, 503, 504].includes(status) || (status === 409 && isStatus);
}

/** The connection was refused or the name is unknown: nothing can have happened at the other end. */
function neverSent(error: unknown): boolean {
  const code = error instanceof Error ? (error.cause as { code?: unknown } | undefined)?.code : undefined;
  return code === "ECONNREFUSED" || code === "ENOTFOUND" || code === "EAI_AGAIN";
}

async function parse(response: Response, url: URL): Promise<FormattedResponse> {
  const headers = Object.fromEntries(response.headers.entries());
  if (response.status === 204) {
    await response.body?.cancel();
    return { body: null, headers, status: response.status };
  }
  try {
    return { body: (await response.json()) as Record<string, unknown>, headers, status: response.status };
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) {
      throw new TryLaterError("GitLab's answer broke off", { retryAfterMs, cause });
    }
    throw new ActionNeededError("FORGE_ANSWER_ODD", `${url.origin} does not answer like GitLab`, {
      hint: "Check the address; a sign-in page or a proxy may stand before it.",
      cause,
    });
  }
}

async function readPart(response: Response, skip: number, maxBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let left = maxBytes;
  let passOver = skip;
  try {
    for await (const chunk of response.body ?? []) {
      const kept = chunk.subarray(Math.min(passOver, chunk.length)).subarray(0, left);
      passOver -= Math.min(passOver, chunk.length);
      left -= kept.length;
      chunks.push(kept);
      if (left === 0) break; // leaving the loop ends the transfer
    }
  } catch (cause) {
    throw new TryLaterError("GitLab's answer broke off", { retryAfterMs, cause });
  }
  return Buffer.concat(chunks);
}

/** GitLab's own words, without markup and not too many. */
async function wordsOf(response: Response): Promise<string> {
  const text = await response.text().catch(() => "");
  try {
    const body = JSON.parse(text) as { error_description?: unknown; error?: unknown; message?: unknown };
    const said = body.error_description ?? body.message ?? body.error ?? "";
    return (typeof said === "string" ? said : JSON.stringify(said)).slice(0, 300);
  } catch {
    return `status ${response.status}`;
  }
}

function toSent(endpoint: string, options: Record<string, unknown>): Sent {
  const url = new URL(endpoint, `${String(options["prefixUrl"]).replace(/\/+$/, "")}/`);
  url.search = String(options["searchParams"] ?? "");
  return {
    url,
    method: String(options["method"] ?? "GET"),
    headers: { "user-agent": "dtaas", ...(options["headers"] as Record<string, string>) },
    body: options["body"] as string | FormData | undefined,
  };
}

async function pauseFor(ms: number, signal?: AbortSignal): Promise<void> {
  await sleep(ms, undefined, signal ? { signal } : {});
}
