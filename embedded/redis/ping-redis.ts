import { Redis } from "ioredis";

/** What the server says it is, after it has loaded its data. Throws what went wrong within `deadlineMs`. */
export async function pingRedis(url: string, deadlineMs: number): Promise<{ version: string; pid: number }> {
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: deadlineMs,
    commandTimeout: deadlineMs,
    maxRetriesPerRequest: 0,
    enableReadyCheck: false,
    retryStrategy: () => null,
  });
  let reason: Error | undefined; // says more than the "Connection is closed" of the command
  redis.on("error", (error: Error) => {
    reason ??= error;
  });
  try {
    await redis.connect();
    await redis.ping();
    const info = await redis.info("server");
    const version = /^redis_version:(\S+)/m.exec(info)?.[1] ?? "unknown";
    return { version, pid: Number(/^process_id:(\d+)/m.exec(info)?.[1] ?? 0) };
  } catch (error) {
    throw reason ?? error;
  } finally {
    redis.disconnect();
  }
}
