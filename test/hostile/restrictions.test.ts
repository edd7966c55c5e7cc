import { expect, test } from "vitest";
import { containerConfig } from "#runner/engine/docker/container-config";
import { restrictions } from "./restrictions.ts";

// What the configuration says beside its restrictions, and why nothing is taken away to see it.
const noRestriction: Readonly<Record<string, string>> = {
  LogConfig: "bounds a log, which docker-adapter.integration.test.ts fills",
  Init: "the first process is ours; init.integration.test.ts",
  RestartPolicy: "the runner restarts, not the engine; reconcile-user.test.ts",
  AutoRemove: "the runner removes, once the outcome is written",
  PublishAllPorts: "nothing is published; the engine's default, said so that nobody relies on it",
};

test("each option that we give the engine is a restriction that is taken away once, or no restriction, with the reason", () => {
  const { HostConfig = {} } = containerConfig(
    {
      name: "any",
      imageId: `sha256:${"a".repeat(64)}`,
      labels: {
        user: "user1",
        twin: "tank",
        operation: "execute",
        run: "r1",
        key: "key",
        source: "source",
        revision: "a".repeat(40),
        attempt: "1",
      },
      command: ["true"],
      workingDir: "/workspace",
      environment: {},
      resources: { cpus: 1, memoryBytes: 1, pids: 1 },
      network: "n",
      layer: { id: "layer" },
      commonFolder: "/common",
      graceMs: 1,
    },
    { installation: "test", layerMount: { folder: "/layer" } },
  );
  const takenAway = new Set(
    restrictions.flatMap(({ without }) => [
      ...Object.keys(without.host ?? {}),
      ...(without.mountsWritable ? ["Mounts"] : []),
    ]),
  );
  for (const option of Object.keys(HostConfig)) {
    const ways = [takenAway.has(option), option in noRestriction].filter(Boolean);
    expect([option, ways.length]).toEqual([option, 1]);
  }
  expect(restrictions.some(({ without }) => without.user !== undefined)).toBe(true);
  for (const option of Object.keys(noRestriction)) expect(Object.keys(HostConfig)).toContain(option);
});
