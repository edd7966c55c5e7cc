export interface RedisSettings {
  port: number;
  password: string;
}

/**
 * The configuration of our own server. The password stands here and not on the command line, where every user of
 * the machine could read it. Jobs are nudges, so one second of them may be lost; evicting one silently may not.
 */
export function redisConfig(folder: string, settings: RedisSettings): string {
  if (!/^[\w-]{16,}$/.test(settings.password))
    throw new Error("the Redis password has to be 16 or more of A-Z a-z 0-9 _ -");
  return [
    "# Written at every start.",
    "bind 127.0.0.1",
    "protected-mode yes",
    `port ${settings.port}`,
    `requirepass ${settings.password}`,
    `dir ${quoted(folder)}`,
    "daemonize no",
    "supervised no",
    'logfile ""',
    'save ""',
    "appendonly yes",
    "appendfsync everysec",
    "aof-load-truncated yes",
    "maxmemory-policy noeviction",
    "",
  ].join("\n");
}

function quoted(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}
