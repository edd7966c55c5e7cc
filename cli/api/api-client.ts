import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { createParser, type EventSourceMessage } from "eventsource-parser";
import { ActionNeededError, messageOf, TryLaterError } from "#core/errors";
import type { Problem } from "#schemas/api";

const answerMs = 30_000;
const uploadMs = 5 * 60_000;
const maxErrorBytes = 64 * 1024;
const attempts = 3; // of what may be sent again without harm
const firstPauseMs = 500;
const maxPauseMs = 5_000;

/** The REST API of a platform, asked by one person. */
export class ApiClient {
  readonly url: string;
  readonly #token: string;
  readonly #signal: AbortSignal;

  constructor(options: { url: string; token: string; signal: AbortSignal }) {
    this.url = options.url;
    this.#token = options.token;
    this.#signal = options.signal;
  }

  /** The path is below `/api/v1`. Throws what `#send` throws. */
  async get<T>(path: string): Promise<T> {
    return (await (await this.#send("GET", path)).json()) as T;
  }

  async send<T>(method: "POST" | "PUT" | "DELETE", path: string, body?: unknown): Promise<T> {
    return (await (await this.#send(method, path, body)).json()) as T;
  }

  /**
   * Posts what must be done once, with an idempotency key: when the answer is lost on the way it is sent again, and the platform does
   * not do it twice.
   */
  async postOnce<T>(path: string, body?: unknown): Promise<T> {
    const headers = { Accept: "application/json", "Idempotency-Key": randomUUID() };
    let pauseMs = firstPauseMs;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return (await (await this.#send("POST", path, body, headers)).json()) as T;
      } catch (error) {
        if (attempt >= attempts || this.#signal.aborted || !mayPass(error)) throw error;
        const asked = error instanceof TryLaterError ? error.retryAfterMs : 0;
        await delay(Math.min(Math.max(pauseMs, asked), maxPauseMs), undefined, { signal: this.#signal });
        pauseMs *= 2;
      }
    }
  }

  /** Sends bytes as they are; takes as long as the platform allows for an upload. */
  async upload<T>(
    method: "POST" | "PUT",
    path: string,
    body: { bytes: Uint8Array; type: string },
    headers: Record<string, string> = {},
  ): Promise<T> {
    const response = await this.#send(method, path, body, { Accept: "application/json", ...headers });
    return (await response.json()) as T;
  }

  /** The bytes of an answer as they come. */
  async *read(path: string, accept = "*/*"): AsyncGenerator<Uint8Array> {
    const response = await this.#send("GET", path, undefined, { Accept: accept });
    for await (const chunk of response.body ?? []) yield chunk;
  }

  /** Server-Sent Events until the other side ends. Going on after a lost connection is the caller's part. */
  async *events(path: string, lastId: string | undefined): AsyncGenerator<EventSourceMessage> {
    const response = await this.#send("GET", path, undefined, {
      Accept: "text/event-stream",
      ...(lastId === undefined ? {} : { "Last-Event-ID": lastId }),
    });
    const waiting: EventSourceMessage[] = [];
    const parser = createParser({ onEvent: (event) => waiting.push(event) });
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      parser.feed(decoder.decode(chunk, { stream: true }));
      yield* waiting.splice(0);
    }
  }

  /**
   * Errors: the problem the platform answered as `ActionNeededError` with its code, `API_UNREACHABLE`, or
   * `TryLaterError`.
   */
  async #send(
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = { Accept: "application/json" },
  ): Promise<Response> {
    const isStream = headers["Accept"] !== "application/json";
    const sent = bodyOf(body);
    const late = AbortSignal.timeout(sent?.isUpload ? uploadMs : answerMs);
    let response: Response;
    try {
      response = await fetch(`${this.url}/api/v1${path}`, {
        method,
        redirect: "error", // the token is for this address only
        headers: {
          ...headers,
          Authorization: `Bearer ${this.#token}`,
          ...(sent === undefined ? {} : { "Content-Type": sent.type }),
        },
        ...(sent === undefined ? {} : { body: sent.body }),
        signal: isStream ? this.#signal : AbortSignal.any([this.#signal, late]),
      });
    } catch (error) {
      if (this.#signal.aborted) throw error;
      throw unreachable(this.url, error, late.aborted);
    }
    if (response.ok) return response;
    throw await errorOf(response);
  }
}

function mayPass(error: unknown): boolean {
  if (error instanceof ActionNeededError) return error.code === "API_UNREACHABLE";
  return error instanceof TryLaterError || error instanceof TypeError; // the connection broke within the answer
}

function bodyOf(
  body: unknown,
): { body: string | Uint8Array<ArrayBuffer>; type: string; isUpload: boolean } | undefined {
  if (body === undefined) return undefined;
  const { bytes, type } = body as { bytes?: unknown; type?: unknown };
  if (bytes instanceof Uint8Array && typeof type === "string") {
    return { body: new Uint8Array(bytes), type, isUpload: true };
  }
  return { body: JSON.stringify(body), type: "application/json", isUpload: false };
}

function unreachable(url: string, error: unknown, isLate: boolean): Error {
  if (isLate) return new TryLaterError(`${url} does not answer`, { retryAfterMs: 5_000, cause: error });
  const reason =
    error instanceof Error && error.cause !== undefined ? messageOf(error.cause) : messageOf(error);
  return new ActionNeededError("API_UNREACHABLE", `the platform at ${url} cannot be reached: ${reason}`, {
    hint: "start it (npm start), or look at DTAAS_URL",
    cause: error,
  });
}

async function errorOf(response: Response): Promise<Error> {
  const text = (await response.text()).slice(0, maxErrorBytes);
  const problem = parseProblem(text);
  if (!problem) {
    return new ActionNeededError("ANSWER_ODD", `the answer ${response.status} is none of this platform's`, {
      hint: "look at DTAAS_URL: it should be the address of the controller",
    });
  }
  const { code, detail, hint, where, retryAfterMs } = problem;
  if (retryAfterMs !== undefined) return new TryLaterError(detail, { retryAfterMs });
  return new ActionNeededError(code, detail, {
    ...(hint === undefined ? {} : { hint }),
    ...(where === undefined ? {} : { where }),
  });
}

function parseProblem(text: string): Problem | undefined {
  try {
    const problem = JSON.parse(text) as Partial<Problem> | null;
    return typeof problem?.code === "string" && typeof problem.detail === "string"
      ? (problem as Problem)
      : undefined;
  } catch {
    return undefined;
  }
}
