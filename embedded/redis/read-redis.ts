import { Redis } from "ioredis";

/** What a Redis server that somebody gave us says of itself; `undefined` for settings that it keeps to itself. */
export interface RedisFacts {
  version: string;
  maxmemoryPolicy: string | undefined;
  appendonly: string | undefined;
  save: string | undefined;
  /** How far its clock is ahead of ours. */
  clockAheadMs: number;
}

/** Asks the server; changes nothing. Throws what went wrong within `deadlineMs`. */
export async function readRedis(url: string, deadlineMs: number): Promise<RedisFacts> {
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: deadlineMs,
    commandTimeout: deadlineMs,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  redis.on("error", () => undefined); // the commands tell
  const setting = async (name: string): Promise<string | undefined> => {
    try {
      const [, value] = (await redis.call("CONFIG", "GET", name)) as string[];
      return value;
    } catch {
      return undefined; // hosted servers refuse the command
    }
  };
  try {
    await redis.connect();
    const info = await redis.info("server");
    const [seconds = 0, micros = 0] = (await redis.time()).map(Number);
    const saidAt = Date.now();
    return {
      version: /^redis_version:(\S+)/m.exec(info)?.[1] ?? "unknown",
      maxmemoryPolicy: await setting("maxmemory-policy"),
      appendonly: await setting("appendonly"),
      save: await setting("save"),
      clockAheadMs: seconds * 1000 + micros / 1000 - saidAt,
    };
  } finally {
    redis.disconnect();
  }
}
