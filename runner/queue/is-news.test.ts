import { expect, test } from "vitest";
import type { EngineEvent } from "../engine/engine.ts";
import { isNews } from "./is-news.ts";

const labels = {
  ...{ user: "user1", twin: "tank", operation: "execute", run: "run1" },
  ...{ key: "key1", source: "source1", revision: "a".repeat(40), attempt: "1" },
};
const about = (id: string, kind: EngineEvent["kind"]) => ({ kind, container: { id, labels } });

test("a start of our own is no news, whatever the engine tells of it; all that follows is", () => {
  const starting = new Set(["c1"]);
  const told = ["changed", "started", "changed", "exited", "started"] as const;
  expect(told.map((kind) => isNews(starting, about("c1", kind)))).toEqual([false, false, true, true, true]);
});

test("a start by somebody else is news, and so is an end in the middle of our own", () => {
  const starting = new Set(["c1"]);
  expect(isNews(starting, about("c2", "started"))).toBe(true);
  expect(isNews(starting, about("c1", "exited"))).toBe(true);
});
