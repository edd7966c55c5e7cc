import fc from "fast-check";
import { expect, test } from "vitest";
import type { ContainerSpec } from "../engine.ts";
import { configFingerprint } from "./config-fingerprint.ts";
import { containerConfig } from "./container-config.ts";

const labels = {
  user: "user1",
  twin: "water-tank",
  operation: "execute",
  run: "run-1",
  key: "key",
  source: "source",
  revision: "c".repeat(40),
  attempt: "2",
};
const spec: ContainerSpec = {
  name: "run-1",
  imageId: "sha256:abc",
  labels,
  command: ["python3", "main.py"],
  workingDir: "/workspace/digital_twins/water-tank",
  environment: { LOG_LEVEL: "info" },
  resources: { cpus: 1.5, memoryBytes: 256 * 1024 * 1024, pids: 128 },
  network: "dtaas-i1-user-user1",
  layer: { id: "layer-1" },
  mounts: [{ source: "/data/snapshots/dtaas+common/0123", target: "/workspace/common" }],
  runFolder: "/data/runs/user1/water-tank/run-1/in",
  graceMs: 2_500,
};
const context = { installation: "i1", layerMount: { volume: "dtaas-i1-layer-1" } };

test("a twin's container is confined in every way we know, and these are all options it gets", () => {
  const { Labels, ...options } = containerConfig(spec, context);
  const tmpfs = "rw,nosuid,nodev,exec,size=64m";
  const folder = (Source: string, Target: string) => ({
    Type: "bind",
    Source,
    Target,
    ReadOnly: true,
    BindOptions: { Propagation: "rprivate", NonRecursive: true },
  });
  expect(options).toEqual({
    name: "dtaas-i1-run-1",
    Image: "sha256:abc",
    Entrypoint: ["/usr/local/lib/dtaas/init"],
    Cmd: ["python3", "main.py"],
    WorkingDir: "/workspace/digital_twins/water-tank",
    User: "1000:1000",
    Hostname: "water-tank",
    Env: ["HOME=/home/dtaas", "LOG_LEVEL=info"],
    StopSignal: "SIGTERM",
    StopTimeout: 3,
    HostConfig: {
      CapDrop: ["ALL"],
      SecurityOpt: ["no-new-privileges"],
      Privileged: false,
      ReadonlyRootfs: true,
      Tmpfs: { "/tmp": `${tmpfs},mode=1777`, "/home/dtaas": `${tmpfs},mode=0755,uid=1000,gid=1000` },
      Memory: 268435456,
      MemorySwap: 268435456,
      NanoCpus: 1_500_000_000,
      PidsLimit: 128,
      Ulimits: [{ Name: "core", Soft: 0, Hard: 0 }],
      LogConfig: { Type: "json-file", Config: { "max-size": "10m", "max-file": "3" } },
      IpcMode: "private",
      Init: false,
      RestartPolicy: { Name: "no" },
      AutoRemove: false,
      PublishAllPorts: false,
      NetworkMode: "dtaas-i1-user-user1",
      Mounts: [
        {
          Type: "volume",
          Source: "dtaas-i1-layer-1",
          Target: "/workspace",
          ReadOnly: false,
          VolumeOptions: { NoCopy: true },
        },
        folder("/data/snapshots/dtaas+common/0123", "/workspace/common"),
        folder("/data/runs/user1/water-tank/run-1/in", "/run/dtaas"),
      ],
    },
    NetworkingConfig: { EndpointsConfig: { "dtaas-i1-user-user1": { Aliases: ["water-tank"] } } },
  });
  expect(Labels).toEqual({
    ...Object.fromEntries(Object.entries(labels).map(([name, value]) => [`dtaas.${name}`, value])),
    "dtaas.installation": "i1",
    "dtaas.name": "run-1",
    "dtaas.config": expect.stringMatching(/^[0-9a-f]{32}$/),
  });
});

test("nothing that is passed beyond the specification reaches the engine", () => {
  const more = {
    ...spec,
    HostConfig: { Privileged: true, Binds: ["/:/host"] },
    Privileged: true,
    CapAdd: ["SYS_ADMIN"],
    binds: ["/var/run/docker.sock:/var/run/docker.sock"],
    resources: { ...spec.resources, devices: ["/dev/kvm"], OomKillDisable: true },
    layer: { id: "layer-1", Source: "/" },
    labels: { ...labels, "dtaas.installation": "other", extra: "x" },
  } as ContainerSpec;
  expect(containerConfig(more, context)).toEqual(containerConfig(spec, context));
});

test("whatever a specification says, the confinement is the same", () => {
  const text = fc.string({ unit: "binary" });
  const hostile = fc.record({
    command: fc.array(text, { minLength: 1 }),
    workingDir: text,
    twin: text,
    operation: text,
    network: fc.string({ minLength: 1 }),
    folder: text,
  });
  fc.assert(
    fc.property(hostile, ({ command, workingDir, twin, operation, network, folder }) => {
      const {
        HostConfig = {},
        Hostname,
        User,
      } = containerConfig(
        {
          ...spec,
          command,
          workingDir,
          network,
          mounts: [{ source: folder, target: "/workspace/common" }],
          labels: { ...labels, twin, operation },
        },
        context,
      );
      const { NetworkMode, Mounts, ...fixed } = HostConfig;
      const { NetworkMode: _, Mounts: __, ...usual } = containerConfig(spec, context).HostConfig ?? {};
      expect(fixed).toEqual(usual);
      expect(NetworkMode).toBe(network);
      expect(Mounts?.map((mount) => mount.Target)).toEqual(["/workspace", "/workspace/common", "/run/dtaas"]);
      expect(Mounts?.map((mount) => mount.ReadOnly)).toEqual([false, true, true]);
      expect(Hostname).toMatch(/^[A-Za-z0-9-]{1,63}$/);
      expect(User).toBe("1000:1000");
    }),
  );
});

test("without folders there is only the layer, wherever it lies", () => {
  const { mounts: _, runFolder: __, ...bare } = spec;
  const mounts = containerConfig(bare, { ...context, layerMount: { folder: "/data/layers/l/copy" } })
    .HostConfig?.Mounts;
  expect(mounts).toEqual([
    {
      Type: "bind",
      Source: "/data/layers/l/copy",
      Target: "/workspace",
      ReadOnly: false,
      BindOptions: { Propagation: "rprivate", NonRecursive: true },
    },
  ]);
});

test("terminate joins the processes and the network of what it ends, and nothing else of it", () => {
  const joined = containerConfig({ ...spec, joinContainerId: "f00d" }, context);
  const alone = containerConfig(spec, context);
  expect(joined.HostConfig).toEqual({
    ...alone.HostConfig,
    NetworkMode: "container:f00d",
    PidMode: "container:f00d",
  });
  expect(joined.Hostname).toBeUndefined();
  expect(joined.NetworkingConfig).toBeUndefined();
});

test("only what is up for long can be reached by the twin's name", () => {
  const create = containerConfig({ ...spec, labels: { ...labels, operation: "create" } }, context);
  expect(create.NetworkingConfig).toEqual({ EndpointsConfig: { "dtaas-i1-user-user1": {} } });
});

test("a variable of the environment stays one variable", () => {
  for (const environment of [{ "A=B": "c" }, { "": "x" }, { "A\nB": "x" }, { "1A": "x" }, { A: "x\0y" }]) {
    expect(() => containerConfig({ ...spec, environment }, context)).toThrow("cannot be set");
  }
  const environment = { HOME: "/workspace", A: "b=c\nD=e" };
  expect(containerConfig({ ...spec, environment }, context).Env).toEqual(["HOME=/workspace", "A=b=c\nD=e"]);
});

test("the fingerprint changes with everything somebody can change on a live container", () => {
  const host = containerConfig(spec, context).HostConfig ?? {};
  const live = { name: "n", user: "1000:1000", host, networks: ["net"] };
  const same = configFingerprint(live);
  expect(configFingerprint({ ...live, host: { ...host, CapAdd: [], Devices: [], CpuShares: 0 } })).toBe(same);
  const changes = [
    { ...live, name: "other" },
    { ...live, user: "0:0" },
    { ...live, networks: [] },
    { ...live, networks: ["net", "bridge"] },
    ...[
      { Memory: 1 },
      { MemorySwap: -1 },
      { NanoCpus: 1 },
      { CpuQuota: 1 },
      { CpuShares: 2 },
      { CpusetCpus: "0" },
      { PidsLimit: 0 },
      { RestartPolicy: { Name: "always" } },
      { Privileged: true },
      { ReadonlyRootfs: false },
      { CapAdd: ["NET_ADMIN"] },
      { CapDrop: [] },
      { SecurityOpt: [] },
      { Devices: [{ PathOnHost: "/dev/kvm", PathInContainer: "/dev/kvm", CgroupPermissions: "rwm" }] },
      { Binds: ["/:/host"] },
      { PortBindings: { "80/tcp": [{ HostPort: "80" }] } },
      { PidMode: "host" },
      { IpcMode: "host" },
      { Tmpfs: {} },
      { Mounts: [] },
    ].map((change) => ({ ...live, host: { ...host, ...change } })),
  ];
  const prints = changes.map((change) => configFingerprint(change));
  expect(new Set([same, ...prints]).size).toBe(changes.length + 1);
});
