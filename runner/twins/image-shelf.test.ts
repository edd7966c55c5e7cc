import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { dataFolder } from "#core/data-folder";
import { createFakeEngine } from "../engine/fake/fake-engine.ts";
import { FakeWorld } from "../engine/fake/fake-world.ts";
import { ImageShelf } from "./image-shelf.ts";

const workspace = { template: "base" as const, packages: { apt: ["nonsense"], pip: [] } };
const folders: string[] = [];
afterEach(async () => {
  vi.useRealTimers();
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true });
});

test("a build that keeps failing is tried at longer and longer intervals, then quarantined with its reason", async () => {
  vi.useFakeTimers({ now: Date.parse("2026-06-01T12:00:00Z"), toFake: ["Date"] });
  const folder = await mkdtemp(join(tmpdir(), "shelf-"));
  folders.push(folder);
  const engine = createFakeEngine(new FakeWorld());
  const render = async () => ({ hash: "recipe1", dockerfile: "", files: {} });
  const shelf = new ImageShelf(engine.images, dataFolder(folder), render);
  expect(await shelf.fact(workspace)).toEqual({ state: "missing", hash: "recipe1" });
  const seen: unknown[] = [];
  for (let build = 1; build <= 4; build += 1) {
    await shelf.noteFailure("recipe1", "no package nonsense");
    const fact = await shelf.fact(workspace);
    seen.push(
      fact.state === "failed" && [fact.retryAtMs && (fact.retryAtMs - Date.now()) / 1_000, fact.reason],
    );
  }
  expect(seen).toEqual([
    [60, "no package nonsense; build 1 of 4, the next one at 12:01:00 UTC"],
    [120, "no package nonsense; build 2 of 4, the next one at 12:02:00 UTC"],
    [240, "no package nonsense; build 3 of 4, the next one at 12:04:00 UTC"],
    [undefined, "quarantined after 4 failed builds, until its packages change: no package nonsense"],
  ]);
});

test("a build that was asked for while one was under way is held back when that one fails, until its next try is due", async () => {
  vi.useFakeTimers({ now: Date.parse("2026-06-01T12:00:00Z"), toFake: ["Date"] });
  const folder = await mkdtemp(join(tmpdir(), "shelf-"));
  folders.push(folder);
  const render = async () => ({ hash: "recipe1", dockerfile: "", files: {} });
  const shelf = new ImageShelf(createFakeEngine(new FakeWorld()).images, dataFolder(folder), render);
  expect(await shelf.isHeldBack("recipe1")).toBe(false);
  await shelf.noteFailure("recipe1", "no package nonsense");
  expect(await shelf.isHeldBack("recipe1")).toBe(true);
  vi.setSystemTime(Date.parse("2026-06-01T12:01:00Z"));
  expect(await shelf.isHeldBack("recipe1")).toBe(false);
  for (let build = 2; build <= 4; build += 1) await shelf.noteFailure("recipe1", "no package nonsense");
  vi.setSystemTime(Date.parse("2026-07-01T12:00:00Z"));
  expect(await shelf.isHeldBack("recipe1")).toBe(true);
});
