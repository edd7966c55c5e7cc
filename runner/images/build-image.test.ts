import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { createFakeEngine } from "../engine/fake/fake-engine.ts";
import { type FakeRules, FakeWorld } from "../engine/fake/fake-world.ts";
import { createImageBuilder } from "./build-image.ts";
import { collectImages } from "./collect-images.ts";
import { machineUpstream } from "./upstream-request.ts";

const base = { template: "base", packages: { apt: ["jq"], pip: [] } };
const signal = () => new AbortController().signal;

const folders: string[] = [];
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true }))));

async function builderOver(rules: FakeRules, deadlineMs?: number) {
  const world = new FakeWorld(rules);
  const { images } = createFakeEngine(world);
  const builds = await mkdtemp(join(tmpdir(), "builds-"));
  folders.push(builds);
  const builder = createImageBuilder({
    images,
    data: { builds },
    registries: async () => ({
      apt: {
        hasSources: async () => false,
        sources: async () => [],
        options: async () => "",
        fetch: async () => "missing",
      },
      python: { pipConfig: () => "", page: async () => undefined, file: async () => undefined },
      mayPassThrough: false,
      upstream: machineUpstream({ trustedHosts: [] }, {}),
    }),
    ...(deadlineMs === undefined ? {} : { deadlineMs }),
  });
  const log = async (hash: string) => {
    const lines = (await readFile(join(builds, `${hash}.ndjson`), "utf8")).trim().split("\n");
    return lines.map((line) => JSON.parse(line) as { at: string; stream: string; text: string });
  };
  return { world, images, builder, log };
}

test("an image is built once, whoever asks at the same time or later", async () => {
  const { world, builder, log } = await builderOver({
    build: () => ({ takesMs: 50, lines: ["one", "two"] }),
  });
  const [first, second] = await Promise.all([builder.ensure(base, signal()), builder.ensure(base, signal())]);
  expect(second).toEqual(first);
  expect(await builder.ensure(base, signal())).toEqual(first);
  expect([...world.builds.values()]).toEqual([1]);
  expect((await log(first.hash)).map((line) => line.text)).toEqual(["one", "two"]);
});

test("a build goes on while somebody still waits for it, and ends with the last of them", async () => {
  const { world, builder } = await builderOver({ build: () => ({ takesMs: 300 }) });
  const impatient = new AbortController();
  const first = builder.ensure(base, impatient.signal);
  const second = builder.ensure(base, signal());
  impatient.abort(new Error("enough"));
  await expect(first).rejects.toThrow("enough");
  expect((await second).id).toMatch(/^sha256:/);
  expect([...world.builds.values()]).toEqual([1]);

  const other = { ...base, packages: { apt: ["bc"], pip: [] } };
  const stop = new AbortController();
  const third = builder.ensure(other, stop.signal);
  setTimeout(() => stop.abort(new Error("cancelled")), 20);
  await expect(third).rejects.toThrow("cancelled");
  expect((await builder.ensure(other, signal())).id).toMatch(/^sha256:/);
});

test("a failed build says why in its log, and is tried anew when asked again", async () => {
  let broken = true;
  const { builder, log, world } = await builderOver({
    build: () => (broken ? { lines: ["trying"], failure: "no such package" } : {}),
  });
  await expect(builder.ensure(base, signal())).rejects.toMatchObject({ code: "BUILD_FAILED" });
  const [hash] = [...world.builds.keys()];
  expect(await log(hash ?? "")).toMatchObject([
    { stream: "out", text: "trying" },
    { stream: "platform", text: expect.stringContaining("no such package") },
  ]);
  broken = false;
  expect((await builder.ensure(base, signal())).id).toMatch(/^sha256:/);
});

test("a build that takes too long is given up", async () => {
  const { builder } = await builderOver({ build: () => ({ takesMs: 60_000 }) }, 30);
  await expect(builder.ensure(base, signal())).rejects.toMatchObject({ code: "BUILD_TIMED_OUT" });
});

test("a build that prints without end has a log that ends", async () => {
  const { builder, log } = await builderOver({
    build: () => ({ lines: Array.from({ length: 2_000 }, () => "x".repeat(10_000)) }),
  });
  const lines = await log((await builder.ensure(base, signal())).hash);
  expect(lines.length).toBeLessThan(600);
  expect(lines.at(-1)).toMatchObject({ stream: "platform", text: "the log was cut here" });
});

test("images nobody refers to are collected once they are old enough", async () => {
  const { builder, images } = await builderOver({});
  const kept = await builder.ensure(base, signal());
  const old = await builder.ensure({ ...base, packages: { apt: [], pip: [] } }, signal());
  const keep = new Set([kept.hash]);
  const nowMs = Date.now();
  expect(await collectImages(images, { keep, minAgeMs: 60_000, nowMs })).toEqual([]);
  expect(await collectImages(images, { keep, minAgeMs: 60_000, nowMs: nowMs + 120_000 })).toEqual([old.hash]);
  expect((await images.list()).map((image) => image.hash)).toEqual([kept.hash]);
});
