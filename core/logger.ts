import { type Logger as PinoLogger, pino } from "pino";

export type Logger = PinoLogger;

/** Field names whose values never reach a log line, at the top level or one level down. */
const secretFields = [
  "token",
  "password",
  "secret",
  "authorization",
  "cookie",
  "privateToken",
  "signingToken",
];
const censored = secretFields.flatMap((field) => [field, `*.${field}`]);

/** One JSON log line per event on standard error; ids (`delivery`, `project`, `user`, `run`) go in fields. */
export function createLogger(name: string, level: string): Logger {
  return pino(
    {
      name,
      level,
      redact: { paths: censored, censor: "[redacted]" },
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    pino.destination({ dest: 2, sync: false }),
  );
}
