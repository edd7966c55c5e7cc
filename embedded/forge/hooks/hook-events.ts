import { randomUUID } from "node:crypto";
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { isSystemError } from "#core/errors";
import { SerialByKey } from "#core/serial-by-key";
import type { HookTarget } from "../store/records.ts";
import type { HookAnswer } from "./post-hook.ts";

const maxEventsKept = 200; // per hook
const cleanEvery = 50; // deliveries between two looks for old ones

/** One attempt to deliver, as the API shows it; `delivery_id` and `flag` are for sending it again. */
export interface HookEvent {
  id: number;
  url: string;
  trigger: string;
  request_headers: Record<string, string>;
  request_data: unknown;
  response_headers: Record<string, string>;
  response_body: string;
  execution_duration: number;
  response_status: string;
  created_at: string;
  delivery_id: string;
  flag: string;
}

/** The log of deliveries: one small file each, on disk only. It is for people to look at, so it is not synced. */
export class HookEvents {
  readonly #folder: string;
  readonly #serial = new SerialByKey();
  readonly #nextIds = new Map<number, number>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  add(
    hook: HookTarget,
    delivery: {
      flag: string;
      payload: unknown;
      headers: Record<string, string>;
      answer: HookAnswer;
      deliveryId: string;
      at: Date;
    },
  ): Promise<HookEvent> {
    return this.#serial.run(String(hook.id), async () => {
      const { flag, payload, headers, answer, deliveryId, at } = delivery;
      const id = this.#nextIds.get(hook.id) ?? ((await this.#ids(hook.id))[0] ?? 0) + 1;
      this.#nextIds.set(hook.id, id + 1);
      const event: HookEvent = {
        id,
        url: hook.url,
        trigger: flag.replace(/_events$/, "_hooks"),
        request_headers: withoutSecrets(headers),
        request_data: payload,
        response_headers: answer.headers,
        response_body: answer.error ?? answer.body,
        execution_duration: answer.durationMs / 1_000,
        response_status: answer.status === undefined ? "internal error" : String(answer.status),
        created_at: at.toISOString(),
        delivery_id: deliveryId,
        flag,
      };
      const folder = this.#folderOf(hook.id);
      const temporary = join(folder, `${randomUUID()}.tmp`);
      await mkdir(folder, { recursive: true, mode: 0o700 });
      await writeFile(temporary, JSON.stringify(event), { mode: 0o600 });
      await rename(temporary, join(folder, `${id}.json`));
      if (id % cleanEvery === 0) await this.#clean(hook.id);
      return event;
    });
  }

  /** The kept events, newest first. */
  async list(hookId: number): Promise<HookEvent[]> {
    const ids = (await this.#ids(hookId)).slice(0, maxEventsKept);
    const events = await Promise.all(ids.map((id) => this.get(hookId, id)));
    return events.flatMap((event) => event ?? []);
  }

  async get(hookId: number, id: number): Promise<HookEvent | undefined> {
    try {
      return JSON.parse(await readFile(join(this.#folderOf(hookId), `${id}.json`), "utf8")) as HookEvent;
    } catch (error) {
      if (isSystemError(error, "ENOENT") || error instanceof SyntaxError) return undefined;
      throw error;
    }
  }

  /** Forgets a removed hook. */
  async forget(hookId: number): Promise<void> {
    await this.#serial.run(String(hookId), () =>
      rm(this.#folderOf(hookId), { recursive: true, force: true }),
    );
    this.#nextIds.delete(hookId);
  }

  async #clean(hookId: number): Promise<void> {
    const old = (await this.#ids(hookId)).slice(maxEventsKept);
    for (const id of old) await rm(join(this.#folderOf(hookId), `${id}.json`), { force: true });
  }

  async #ids(hookId: number): Promise<number[]> {
    try {
      const names = await readdir(this.#folderOf(hookId));
      const ids = names.flatMap((name) => /^(\d+)\.json$/.exec(name)?.[1] ?? []);
      return ids.map(Number).sort((a, b) => b - a);
    } catch (error) {
      if (isSystemError(error, "ENOENT")) return [];
      throw error;
    }
  }

  #folderOf(hookId: number): string {
    return join(this.#folder, String(hookId));
  }
}

function withoutSecrets(headers: Readonly<Record<string, string>>): Record<string, string> {
  const shown = { ...headers };
  for (const name of ["X-Gitlab-Token", "Authorization"]) if (name in shown) shown[name] = "[REDACTED]";
  return shown;
}
