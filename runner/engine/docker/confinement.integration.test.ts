import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import Docker from "dockerode";
import { afterAll, expect, test } from "vitest";
import { dockerForTests } from "#test/docker-for-tests";
import { twinContainers } from "#test/twin-containers";

// Each restriction is looked at from inside a real container: what the engine was told is not what counts.
const available = await dockerForTests();

if (!available) test.skip("the confinement of containers (there is no Docker here)");
else {
  const installation = await available.installation();
  const twins = twinContainers(installation);
  afterAll(() => installation.tearDown());
  const refused = (command: string) =>
    `if ${command} 2>/dev/null; then echo "worked: ${command}"; else echo refused; fi`;

  test("a twin has no capability, cannot gain one, and is watched by seccomp", async () => {
    const { lines } = await twins.run(
      "grep -E '^(Cap|NoNewPrivs|Seccomp:)' /proc/self/status; id -u; id -G; ulimit -c",
    );
    expect(lines.map((line) => line.replace(/\s+/g, " "))).toEqual([
      ...["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"].map((name) => `${name}: 0000000000000000`),
      "NoNewPrivs: 1",
      "Seccomp: 2",
      "1000",
      "1000",
      "0",
    ]);
  });

  test("a twin cannot become root or do what only root may", async () => {
    const attempts = [
      "perl -e '\\$> = 0; exit(\\$> == 0 ? 0 : 1)'",
      "su root -c true </dev/null",
      "mount -t tmpfs none /tmp",
      "unshare --user true",
      "unshare --mount true",
      "mknod /tmp/disk b 8 0",
      "chown 0 /tmp",
      "hostname other",
      "cat /proc/kcore",
      "sh -c 'echo 1 > /proc/sys/kernel/panic'",
      "dmesg",
    ];
    const { lines } = await twins.run(attempts.map(refused).join("\n"));
    expect(lines).toEqual(attempts.map(() => "refused"));
  });

  test("a twin writes into its workspace and temporary folders only", async () => {
    const common = join(installation.folder, "common");
    const run = join(installation.folder, "run");
    for (const folder of [common, run]) {
      await mkdir(folder, { recursive: true, mode: 0o777 });
      await writeFile(join(folder, "given"), "given", { mode: 0o666 });
    }
    const places = [
      "/",
      "/usr",
      "/etc",
      "/var/tmp",
      "/usr/local/lib/dtaas",
      "/workspace/common",
      "/run/dtaas",
      "/sys/fs/cgroup",
    ];
    const attempts = places
      .map((place) => `touch ${place}/made`)
      .concat("sh -c 'echo x > /workspace/common/given'");
    const good = ["/workspace", "/tmp", "/home/dtaas", "$HOME", "/dev/shm"].map(
      (place) => `touch ${place}/made && echo ok`,
    );
    const { lines } = await twins.run(
      [...attempts.map(refused), ...good, "cat /workspace/common/given"].join("\n"),
      {
        mounts: [{ source: common, target: "/workspace/common" }],
        runFolder: run,
      },
    );
    expect(lines).toEqual([...attempts.map(() => "refused"), ...good.map(() => "ok"), "given"]);
  });

  test("a twin that takes too much memory is ended, and it is told why", async () => {
    const { container } = await twins.run([
      "perl",
      "-e",
      "my $x = 'a' x (400 * 1024 * 1024); print length $x",
    ]);
    expect(container).toMatchObject({ exitCode: 137, outOfMemory: true });
  });

  test("temporary folders are bounded", async () => {
    const { lines } = await twins.run(
      "head -c 100M /dev/zero > /tmp/big 2>/dev/null; echo $?; stat -c %s /tmp/big; rm /tmp/big",
    );
    expect(lines).toEqual(["1", String(64 * 1024 * 1024)]);
  });

  test("a fork bomb stays small", async () => {
    const bomb =
      "my $n = 0; while (1) { my $p = fork; last unless defined $p; if (!$p) { sleep 60 } $n++ } print qq{$n\\n}; kill 9, -1";
    const { lines } = await twins.run(["perl", "-e", `$| = 1; ${bomb}`]);
    expect(Number(lines[0])).toBeGreaterThan(10);
    expect(Number(lines[0])).toBeLessThan(64);
  });

  test("processor time is limited", async () => {
    const id = await twins.start("sleep infinity", {
      resources: { cpus: 0.5, memoryBytes: 64 * 1024 * 1024, pids: 32 },
    });
    const quota =
      "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us 2>/dev/null || cut -d' ' -f1 /sys/fs/cgroup/cpu.max";
    expect(await twins.engine.containers.exec(id, ["sh", "-c", `[ "$(${quota})" = 50000 ]`], 5_000)).toBe(0);
    await twins.engine.containers.remove(id);
  });

  test("a twin sees its own processes and devices, not the machine's, and no engine", async () => {
    const { lines } = await twins.run(
      "tr '\\0' ' ' < /proc/1/cmdline | cut -d' ' -f2; echo; hostname; ls /dev | tr '\\n' ' '; echo; find / -name '*.sock' 2>/dev/null | wc -l; ls /proc | grep -c '^[0-9]'",
    );
    const [first, , hostname, devices = "", sockets, processes] = lines;
    expect(first).toBe("/usr/local/lib/dtaas/init");
    expect(hostname).toBe("tank");
    const usual = [
      "core",
      "fd",
      "full",
      "mqueue",
      "null",
      "ptmx",
      "pts",
      "random",
      "shm",
      "stderr",
      "stdin",
      "stdout",
      "tty",
      "urandom",
      "zero",
    ];
    expect(
      devices
        .trim()
        .split(/\s+/)
        .filter((device) => !usual.includes(device)),
    ).toEqual([]);
    expect(sockets).toBe("0");
    expect(Number(processes)).toBeLessThan(6);
  });

  test("twins of one user reach each other by name, those of another user are out of reach", async () => {
    const listen =
      "use IO::Socket::INET; my $s = IO::Socket::INET->new(LocalPort => 7000, Listen => 5, ReuseAddr => 1) or die; $| = 1; print qq{up\\n}; while (my $c = $s->accept) { print $c qq{hello\\n}; close $c }";
    const server = await twins.start(["perl", "-e", listen]);
    await twins.printed(server, "up");
    const { host } = (await twins.engine.containers.endpoint(server, 7000)) ?? { host: "" };
    const ask = (where: string) => [
      "perl",
      "-e",
      `use IO::Socket::INET; my $s = IO::Socket::INET->new(PeerAddr => '${where}', PeerPort => 7000, Timeout => 3); print $s ? <$s> : 'out of reach'`,
    ];
    expect((await twins.run(ask(host))).lines).toEqual(["hello"]);
    expect((await twins.run(ask("tank"), { twin: "pump" })).lines).toEqual(["hello"]);
    expect((await twins.run(ask(host), { user: "user2" })).lines).toEqual(["out of reach"]);
    await twins.engine.containers.remove(server);
  });

  test("nothing is published on the machine", async () => {
    const id = await twins.start("sleep infinity");
    const inspected = await new Docker({ socketPath: "/var/run/docker.sock" }).getContainer(id).inspect();
    expect(Object.values(inspected.NetworkSettings.Ports ?? {}).flat()).toEqual([]);
    expect(inspected.HostConfig.Privileged).toBe(false);
    expect(inspected.HostConfig.SecurityOpt).toEqual(["no-new-privileges"]);
    await twins.engine.containers.remove(id);
  });
}
