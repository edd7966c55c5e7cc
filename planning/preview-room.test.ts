import { expect, test } from "vitest";
import { type PreviewInLine, previewsWithoutRoom } from "./preview-room.ts";
import { desiredTwin } from "./simulated-twin.ts";

const gibibyte = 1024 ** 3;
const resources = { cpus: 1, memoryBytes: gibibyte, pids: 1 };

function inLine(key: string, state: PreviewInLine["state"], minute = 0): PreviewInLine {
  return { key, state, wantedAt: `2026-01-01T00:0${minute}:00Z`, resources };
}

function without(limits: { cpus?: number; twins?: number }, previews: PreviewInLine[], asked: string[] = []) {
  const tank = desiredTwin("1".repeat(64), { spec: { resources } });
  const twins = [{ ...tank, name: "tank", admittedAt: "2026-01-01T00:00:00Z" }];
  return previewsWithoutRoom({ user: "user1", limits, twins }, asked, previews);
}

test("two run at the same time, those first that were asked for first", () => {
  const line = [inLine("b", "waiting", 1), inLine("a", "waiting", 2), inLine("c", "waiting", 0)];
  expect([...without({}, line).keys()]).toEqual(["a"]);
  expect([...without({}, [...line, inLine("d", "running")]).keys()]).toEqual(["b", "a"]);
  expect([...without({}, [...line, inLine("d", "over")]).keys()]).toEqual(["a"]);
});

test("they count against the limits of their user, beside twins and beside what was asked for", () => {
  expect(without({ cpus: 2 }, [inLine("a", "waiting")]).size).toBe(0);
  expect(without({ cpus: 2 }, [inLine("a", "waiting")], ["tank"]).get("a")).toMatch(/limits\.perUser\.cpus/);
  const two = [inLine("a", "waiting", 0), inLine("b", "waiting", 1)];
  expect([...without({ cpus: 2 }, two).keys()]).toEqual(["b"]);
});

test("a preview is no twin: the number of twins does not stop it", () => {
  expect(without({ twins: 1 }, [inLine("a", "waiting")]).size).toBe(0);
});
