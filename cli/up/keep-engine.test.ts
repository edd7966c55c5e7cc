import { expect, test, vi } from "vitest";
import type { StartedEngine } from "#embedded/engine/start-dockerd";
import { engineToKeep } from "./keep-engine.ts";
import { keepRunning } from "./keep-running.ts";

/** An engine of which the test says when it dies, and for whom it stays up. */
function engines(keptFor: string[] = []) {
  const deaths: ((how: string) => void)[] = [];
  const make = (): StartedEngine => ({
    how: "own process",
    exited: new Promise((resolve) => deaths.push(resolve)),
    startAgain: async () => make(),
    stop: async () => ({ keptFor }),
  });
  return { first: make(), deaths };
}

async function keep(first: StartedEngine) {
  const told = { onDeath: vi.fn(), onBack: vi.fn(), onGivenUp: vi.fn() };
  const start = engineToKeep(first);
  return { told, kept: await keepRunning({ name: "engine", start, ...told, pause: async () => undefined }) };
}

test("an engine that dies is started again like any other process, and both are said", async () => {
  const { first, deaths } = engines();
  const { told, kept } = await keep(first);
  expect(deaths).toHaveLength(1); // the one that preparing had started
  deaths[0]?.("dockerd ended with SIGKILL");
  await vi.waitFor(() => expect(told.onBack).toHaveBeenCalledTimes(1));
  expect(told.onDeath).toHaveBeenCalledWith("dockerd ended with SIGKILL", 500);
  expect(deaths).toHaveLength(2);
  expect(await kept.stop()).toBe("as it was found");
});

test("one that has containers of others stays up at the end, and that is said", async () => {
  const { kept } = await keep(engines(["somebody"]).first);
  expect(await kept.stop()).toBe("stays up for somebody");
});
