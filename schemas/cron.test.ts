import { describe, expect, test } from "vitest";
import { cronProblem, latestTime, nextTime } from "./cron.ts";

const ms = (time: string) => Date.parse(time);
const iso = (time: number | undefined) => time && new Date(time).toISOString();
const utc = (cron: string) => ({ cron, timeZone: "UTC" });
const copenhagen = (cron: string) => ({ cron, timeZone: "Europe/Copenhagen" });

describe("the next time", () => {
  test("comes after a time, never at it", () => {
    const six = utc("0 6 * * *");
    expect(iso(nextTime(six, ms("2026-01-01T05:59:59.999Z")))).toBe("2026-01-01T06:00:00.000Z");
    expect(iso(nextTime(six, ms("2026-01-01T06:00:00Z")))).toBe("2026-01-02T06:00:00.000Z");
  });

  test("follows the clock of its time zone through the year", () => {
    const six = copenhagen("0 6 * * *");
    expect(iso(nextTime(six, ms("2026-01-01T00:00:00Z")))).toBe("2026-01-01T05:00:00.000Z");
    expect(iso(nextTime(six, ms("2026-07-01T00:00:00Z")))).toBe("2026-07-01T04:00:00.000Z");
  });

  test("comes once on the day whose clock skips it, and once on the day that has it twice", () => {
    const between = (from: string, to: string) => {
      const found: (string | number | undefined)[] = [];
      for (let at = nextTime(copenhagen("30 2 * * *"), ms(from)); at !== undefined && at < ms(to); ) {
        found.push(iso(at));
        at = nextTime(copenhagen("30 2 * * *"), at);
      }
      return found;
    };
    expect(between("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z")).toEqual(["2026-03-29T01:30:00.000Z"]);
    expect(between("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z")).toEqual(["2026-10-25T00:30:00.000Z"]);
  });

  test("is either day when both days are given", () => {
    expect(iso(nextTime(utc("0 0 13 * FRI"), ms("2026-01-01T00:00:00Z")))).toBe("2026-01-02T00:00:00.000Z");
  });
});

describe("the latest time", () => {
  test.each([
    ["* * * * *", "2026-01-01T00:00:00Z", "2026-06-01T12:34:56Z", "2026-06-01T12:34:00.000Z"],
    ["* * * * *", "2026-06-01T12:34:00Z", "2026-06-01T12:34:59Z", undefined],
    ["0 6 * * *", "2026-06-01T06:00:00Z", "2026-06-04T05:59:59Z", "2026-06-03T06:00:00.000Z"],
    ["0 6 * * *", "2026-06-01T06:00:00Z", "2026-06-02T06:00:00Z", "2026-06-02T06:00:00.000Z"],
    ["* * * 1 *", "2025-12-01T00:00:00Z", "2026-06-01T12:00:00Z", "2026-01-31T23:59:00.000Z"],
    ["0 0 29 2 *", "2020-01-01T00:00:00Z", "2026-06-01T12:00:00Z", "2024-02-29T00:00:00.000Z"],
    ["0 0 29 2 *", "2024-02-29T00:00:00Z", "2026-06-01T12:00:00Z", undefined],
  ])("of %s after %s, at %s, is %s", (cron, after, now, latest) => {
    expect(iso(latestTime(utc(cron), ms(after), ms(now)))).toBe(latest);
  });
});

test.each([
  ["61 * * * *", "UTC", "Invalid value for minute: 61"],
  ["0 0 30 2 *", "UTC", "never comes"],
  ["0 6 * * FOO", "UTC", "illegal"],
  ["5/2 * * * *", "UTC", "not allowed"],
  ["0 6 * * *", "Europe/Kopenhagen", "no time zone"],
])("%s in %s cannot be used: %s", (cron, timeZone, problem) => {
  expect(cronProblem({ cron, timeZone }, ms("2026-01-01T00:00:00Z"))).toContain(problem);
});

test.each(["*/5 0-6,12 1 JAN-MAR *", "0 6 * * 1-5", "0 0 * * SUN"])("%s can be used", (cron) => {
  expect(cronProblem(copenhagen(cron), ms("2026-01-01T00:00:00Z"))).toBeUndefined();
});
