import { expect, test } from "vitest";
import type { WorkspaceContainerSpec } from "../workspace-containers.ts";
import { workspaceConfig } from "./workspace-config.ts";

const spec: WorkspaceContainerSpec = {
  user: "user.1",
  session: 3,
  imageId: "sha256:abc",
  command: ["/run/dtaas/session", "terminal"],
  environment: { DTAAS_NAME: "Zoë\nUSER=root" },
  resources: { cpus: 1.5, memoryBytes: 2 ** 30, shmBytes: 2 ** 26, pids: 99 },
  network: "dtaas-i-user-user.1",
  treeFolder: "/data/worktrees/user.1/tree",
  homeFolder: "/data/worktrees/user.1/home",
  mounts: [{ source: "/data/views/user.1", target: "/views" }],
  hostNames: { "git.dtaas.internal": "10.213.0.1" },
};

test("a workspace has no privilege, no port, no device, and writes to its own two folders only", () => {
  const { User, Entrypoint, HostConfig = {}, ...config } = workspaceConfig(spec, "i");
  expect(User).toBe("1000:1000");
  expect(Entrypoint).toEqual(["/usr/local/lib/dtaas/init"]);
  expect(HostConfig).toMatchObject({
    ...{ CapDrop: ["ALL"], SecurityOpt: ["no-new-privileges"], Privileged: false, ReadonlyRootfs: true },
    ...{ IpcMode: "private", PublishAllPorts: false, RestartPolicy: { Name: "no" } },
    ...{ Memory: 2 ** 30, MemorySwap: 2 ** 30, ShmSize: 2 ** 26, NanoCpus: 1.5e9, PidsLimit: 99 },
    ...{ NetworkMode: spec.network, ExtraHosts: ["git.dtaas.internal:10.213.0.1"] },
  });
  for (const option of [
    "CapAdd",
    "Devices",
    "Binds",
    "PortBindings",
    "PidMode",
    "UsernsMode",
    "VolumesFrom",
  ]) {
    expect(HostConfig).not.toHaveProperty(option);
  }
  expect(config).not.toHaveProperty("ExposedPorts");
  const mounts = (HostConfig.Mounts ?? []).map(({ Source, Target, ReadOnly }) => [Source, Target, ReadOnly]);
  expect(mounts).toEqual([
    [spec.treeFolder, "/workspace", false],
    [spec.homeFolder, "/home/dtaas", false],
    ["/data/views/user.1", "/views", true],
  ]);
});

test("a value stays one value, and whoever looks for runs does not find it", () => {
  const { Env, Labels = {}, Hostname } = workspaceConfig(spec, "i");
  expect(Env).toEqual(["HOME=/home/dtaas", "DTAAS_NAME=Zoë\nUSER=root"]);
  expect(Labels["dtaas.run"]).toBeUndefined();
  expect(Labels).toMatchObject({ "dtaas.user": "user.1", "dtaas.workspace": "user.1", "dtaas.session": "3" });
  expect(Hostname).toBe("user-1");
});

test("a ready image starts what it starts by itself, as the same user", () => {
  const { command: _command, ...ready } = spec;
  const { Entrypoint, Cmd, User, HostConfig } = workspaceConfig(ready, "i");
  expect([Entrypoint, Cmd, User, HostConfig?.Init]).toEqual([undefined, undefined, "1000:1000", true]);
});
