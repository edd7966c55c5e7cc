import { afterAll, expect, test, vi } from "vitest";
import { dockerForTests } from "#test/docker-for-tests";
import { twinContainers } from "#test/twin-containers";

const available = await dockerForTests();

if (!available) test.skip("the first process of a container (there is no Docker here)");
else {
  const installation = await available.installation();
  const twins = twinContainers(installation);
  afterAll(() => installation.tearDown());
  const stateOf = async (id: string) =>
    (await twins.engine.containers.list()).find((container) => container.id === id)?.state;

  test("a container ends with the exit code of its command", async () => {
    expect((await twins.run("exit 0")).container.exitCode).toBe(0);
    expect((await twins.run("exit 42")).container.exitCode).toBe(42);
    expect((await twins.run("kill -KILL $$")).container.exitCode).toBe(137);
    expect((await twins.run("kill -SEGV $$")).container.exitCode).toBe(139);
  });

  test("a command that cannot be run says so", async () => {
    const missing = await twins.run(["lifecycle/nothing"]);
    expect(missing.container.exitCode).toBe(127);
    expect(missing.lines).toEqual(["init: cannot run lifecycle/nothing: No such file or directory"]);
    expect((await twins.run(["/etc/passwd"])).container.exitCode).toBe(126);
  });

  test("arguments reach the command as they are", async () => {
    const { lines } = await twins.run(["printf", "%s|", "a b", "$HOME", "", "*", "é"]);
    expect(lines).toEqual(["a b|$HOME||*|é|"]);
  });

  test("a background process keeps the container up after its command has ended", async () => {
    const script =
      "(while [ ! -e go ]; do sleep 0.1; done; echo late) & echo $! > left; echo $$ > main; echo started; exit 5";
    const id = await twins.start(script);
    await twins.printed(id, "started");
    const inside = (test: string) => twins.engine.containers.exec(id, ["sh", "-c", test], 5_000);
    await vi.waitFor(async () => expect(await inside("[ ! -e /proc/$(cat main) ]")).toBe(0));
    expect(await inside("[ -e /proc/$(cat left) ]")).toBe(0);
    expect(await stateOf(id)).toBe("running");
    await twins.engine.containers.exec(id, ["touch", "/workspace/go"], 5_000);
    expect((await twins.ended(id)).exitCode).toBe(5);
    expect(await twins.lines(id)).toEqual(["started", "late"]);
  });

  test("processes that lost their parent are reaped", async () => {
    const orphans = "for i in 1 2 3 4 5; do (sleep 0.01 &) ; done; sleep 0.5";
    const zombies = "grep -l '^State:.Z' /proc/[0-9]*/status 2>/dev/null | wc -l";
    expect((await twins.run(`${orphans}; ${zombies}`)).lines).toEqual(["0"]);
  });

  test("a stop reaches every process, also those in the background and in groups of their own", async () => {
    const child = (name: string) =>
      `sh -c 'trap "echo ${name} ends; exit 0" TERM; echo ${name}; while :; do sleep 0.05; done'`;
    const id = await twins.start(`${child("near")} & setsid ${child("far")} & ${child("main")}`);
    for (const name of ["near", "far", "main"]) await twins.printed(id, name);
    await twins.engine.containers.stop(id, 15_000);
    expect((await twins.lines(id)).filter((line) => line.endsWith("ends")).sort()).toEqual([
      "far ends",
      "main ends",
      "near ends",
    ]);
  });

  test("a command hears of a stop once, even right after its start", async () => {
    const script =
      "$| = 1; $SIG{TERM} = sub { print qq{heard\\n} }; print qq{up\\n}; $end = time + 3; sleep 1 while time < $end; exit 7";
    const id = await twins.start(["perl", "-e", script]);
    await twins.printed(id, "up");
    await twins.engine.containers.stop(id, 15_000);
    expect(await twins.lines(id)).toEqual(["up", "heard"]);
    expect((await twins.ended(id)).exitCode).toBe(7);
  });

  test("a stop at the very moment of the start is not lost", async () => {
    const stopped = Array.from({ length: 5 }, async () => {
      const id = await twins.start(["sleep", "infinity"]);
      await twins.engine.containers.stop(id, 15_000);
      return (await twins.ended(id)).exitCode;
    });
    expect(await Promise.all(stopped)).toEqual([143, 143, 143, 143, 143]);
  });

  test("terminate works on the processes of execute, and may finish what it does", async () => {
    const layer = await twins.layer("shared");
    const script = "echo $$ > pid; trap 'echo told; exit 0' USR1; echo up; while :; do sleep 0.05; done";
    const execute = await twins.start(script, { layer });
    await twins.printed(execute, "up");
    const terminate = await twins.run(
      "kill -USR1 $(cat pid); sleep 0.5; echo done > finished; cat finished",
      {
        joinContainerId: execute,
        layer,
      },
    );
    expect(terminate).toMatchObject({ container: { exitCode: 0, changed: false }, lines: ["done"] });
    expect((await twins.ended(execute)).exitCode).toBe(0);
    expect(await twins.lines(execute)).toEqual(["up", "told"]);
  });

  test("stopping terminate leaves execute alone", async () => {
    const execute = await twins.start(["sleep", "infinity"]);
    const terminate = await twins.start("echo up; sleep infinity", { joinContainerId: execute });
    await twins.printed(terminate, "up");
    await twins.engine.containers.stop(terminate, 15_000);
    expect((await twins.ended(terminate)).exitCode).toBe(143);
    expect(await stateOf(execute)).toBe("running");
  });
}
