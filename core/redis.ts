import { Redis } from "ioredis";
import type { Logger } from "./logger.ts";

/**
 * A connection as BullMQ wants it: it never gives up a command, so a Redis that is away for a minute delays
 * work instead of failing it. `url` is `redis[s]://[:password@]host:port[/db]` or `unix:///path`.
 */
export function connectRedis(url: string, logger: Logger): Redis {
  const redis = new Redis(url, {
    maxRetriesPerRequest: null,
    retryStrategy: (attempt) => Math.min(50 * 2 ** Math.min(attempt, 6), 2_000), // ms
  });
  let down = false;
  redis.on("error", (error: Error) => {
    if (!down) logger.warn({ err: error.message }, "Redis cannot be reached; work waits until it is back");
    down = true;
  });
  redis.on("ready", () => {
    if (down) logger.info("Redis is back");
    down = false;
  });
  return redis;
}
