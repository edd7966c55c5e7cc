import { expect, test } from "vitest";
import type { Machine } from "#embedded/machine/machine";
import { type PreparedEngine, prepareEngine } from "./prepare-engine.ts";

/** Nothing is installed here, nobody is root, and no engine answers. */
const machine: Machine = {
  environment: {},
  isRoot: false,
  hasSystemd: false,
  searchPath: "/nonexistent",
  engineSocket: "/nonexistent/engine.sock",
  engineFolder: "/nonexistent",
};

async function prepare(
  config: Parameters<typeof prepareEngine>[0],
  mayFallBack = true,
): Promise<{ outcome: Promise<PreparedEngine>; said: string[] }> {
  const said: string[] = [];
  const talk = {
    approve: async () => true,
    stage: () => () => {},
    done: () => {},
    failed: () => {},
    say: (text: string) => void said.push(text),
  };
  const outcome = prepareEngine(config, machine, talk, async () => mayFallBack);
  await outcome.catch(() => undefined);
  return { outcome, said };
}

const nothing = { engine: undefined, dockerHost: undefined, environment: {} };

test("without an engine it is said why, and the platform goes on to what twins as processes need", async () => {
  const { outcome, said } = await prepare(nothing);
  expect(said).toEqual([expect.stringMatching(/^No container engine can be had: .*\[MACHINE_NOT_READY\]/)]);
  await expect(outcome).rejects.toMatchObject({ message: expect.stringMatching(/^redis: [^\n]*$/) });
});

test.each([
  ["Docker was asked for", { ...nothing, engine: "docker" as const }, true],
  ["an engine was named", { ...nothing, dockerHost: "unix:///nonexistent" }, true],
  ["more than one user has pushed here", nothing, false],
])("it does not fall back when %s", async (_when, config, mayFallBack) => {
  const { outcome, said } = await prepare(config, mayFallBack);
  expect(said).toEqual([]);
  await expect(outcome).rejects.toMatchObject({ message: expect.stringContaining("engine: ") });
});
