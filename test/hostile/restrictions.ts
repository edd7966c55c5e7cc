import { readlinkSync } from "node:fs";
import type Docker from "dockerode";

/**
 * A question that a container asks itself, and the one restriction it is about. With our configuration the answer is
 * `held`; with the restriction taken away it must be something else, or the question could not fail.
 */
export interface Restriction {
  about: string;
  /** Shell; prints exactly `held` when the restriction holds. */
  ask: string;
  /** What the configuration says instead; 0 is without limit. */
  without: Variant;
}

export interface Variant {
  host?: Docker.HostConfig;
  user?: string;
  mountsWritable?: true;
  /** Folders below the data folder that are shown, too, by where. */
  shown?: Record<string, string>;
}

export const heldUnless = (command: string) =>
  `if ${command} 2>/dev/null; then echo broken; else echo held; fi`;
const heldIf = (condition: string) => `if ${condition} 2>/dev/null; then echo held; else echo broken; fi`;
const status = (field: string) => `"$(grep '^${field}:' /proc/self/status | tr -d '[:space:]')"`;

export const restrictions: readonly Restriction[] = [
  {
    about: "capabilities",
    ask: heldIf(`[ ${status("CapBnd")} = CapBnd:0000000000000000 ]`),
    without: { host: { CapDrop: [] } },
  },
  {
    about: "gaining privileges by a program that is set-uid",
    ask: heldIf(`[ ${status("NoNewPrivs")} = NoNewPrivs:1 ]`),
    without: { host: { SecurityOpt: [] } },
  },
  {
    about: "system calls",
    ask: heldIf(`[ ${status("Seccomp")} = Seccomp:2 ]`),
    without: { host: { SecurityOpt: ["no-new-privileges", "seccomp=unconfined"] } },
  },
  {
    about: "being root",
    ask: heldIf('[ "$(id -u)" = 1000 ]'),
    without: { user: "0:0" },
  },
  {
    about: "the root file system",
    ask: heldUnless("touch /var/tmp/made"),
    without: { host: { ReadonlyRootfs: false } },
  },
  {
    about: "the shared library",
    ask: heldUnless("touch /workspace/common/made"),
    without: { mountsWritable: true },
  },
  {
    about: "the size of temporary folders",
    ask: heldUnless("head -c 80M /dev/zero > /tmp/big"),
    without: { host: { Tmpfs: { "/tmp": "rw,size=96m,mode=1777" } } },
  },
  {
    about: "programs that change their user in temporary folders",
    ask: heldIf("grep -q ' /tmp tmpfs .*nosuid' /proc/mounts"),
    without: { host: { Tmpfs: { "/tmp": "rw,suid,dev,exec,size=64m,mode=1777" } } },
  },
  {
    about: "memory",
    ask: heldIf(
      '[ "$(cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null | head -1)" = 134217728 ]',
    ),
    without: { host: { Memory: 0, MemorySwap: 0 } },
  },
  {
    about: "the number of processes",
    ask: heldIf(
      '[ "$(cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null | head -1)" = 64 ]',
    ),
    without: { host: { PidsLimit: 0 } },
  },
  {
    about: "processor time",
    ask: heldIf(
      '[ "$(cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu.max 2>/dev/null | head -1 | cut -d" " -f1)" = 50000 ]',
    ),
    without: { host: { NanoCpus: 0 } },
  },
  {
    about: "core files",
    ask: heldIf('[ "$(ulimit -c)" = 0 ]'),
    without: { host: { Ulimits: [{ Name: "core", Soft: 1024, Hard: 1024 }] } },
  },
  {
    about: "the processes of the machine",
    ask: heldIf('[ "$(ls /proc | grep -c "^[0-9]")" -lt 10 ]'),
    without: { host: { PidMode: "host" } },
  },
  {
    about: "the machine's shared memory and message queues",
    ask: heldUnless(`[ "$(readlink /proc/self/ns/ipc)" = "${readlinkSync("/proc/self/ns/ipc")}" ]`),
    without: { host: { IpcMode: "host" } },
  },
  {
    about: "the machine's network",
    ask: heldIf('[ "$(ls /sys/class/net | wc -l)" -le 2 ]'),
    without: { host: { NetworkMode: "host" } },
  },
  {
    about: "devices",
    ask: heldUnless("[ -e /dev/loop-control ] || [ -e /dev/fuse ] || [ -e /dev/mem ]"),
    without: { host: { Privileged: true } },
  },
  {
    about: "the socket of the engine",
    ask: heldUnless("[ -S /workspace/engine.sock ]"),
    without: { host: { Binds: ["/var/run/docker.sock:/workspace/engine.sock"] } },
  },
];
