import { spawn } from "node:child_process";
import { access, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, test, vi } from "vitest";
import { identifyProcess } from "#core/process-identity";
import { endLeftovers, rememberChild } from "./leftovers.ts";
import { type ChildOptions, startChild } from "./start-child.ts";

let dataFolder = "";

beforeEach(async () => {
  dataFolder = await mkdtemp(join(tmpdir(), "child-"));
});

/** A child that runs this text and is ready once it has made the file `ready`. */
async function child(text: string, more: Partial<ChildOptions> = {}): Promise<ChildOptions> {
  const script = join(dataFolder, "child.mjs");
  await writeFile(script, text);
  return {
    name: "child",
    script,
    environment: { DTAAS_SAYS: "hello" },
    dataFolder,
    isReady: () =>
      access(join(dataFolder, "ready")).then(
        () => true,
        () => false,
      ),
    onTelling: () => {},
    ...more,
  };
}

const ready = `import { writeFileSync } from "node:fs"; writeFileSync("ready", ""); setInterval(() => {}, 1000);`;
const logged = () => readFile(join(dataFolder, "logs", "child.log"), "utf8");

test("a child gets the environment it was given and nothing of ours, and its words are in its log", async () => {
  const running = await startChild(await child(`console.log(JSON.stringify(process.env));${ready}`));
  await vi.waitFor(async () => expect(JSON.parse(await logged())).toEqual({ DTAAS_SAYS: "hello" }));
  await running.stop();
});

test("a warning of its log reaches the terminal, what informs does not", async () => {
  const onTelling = vi.fn();
  const lines = `setTimeout(() => { console.error('{"level":30,"msg":"fine"}'); console.error('{"level":40,"msg":"hot"}'); }, 200);`;
  const running = await startChild(await child(`${ready}${lines}`, { onTelling }));
  await vi.waitFor(() => expect(onTelling).toHaveBeenCalledWith({ level: "warning", text: "hot" }));
  expect(onTelling).toHaveBeenCalledTimes(1);
  await running.stop();
});

test("a child that ends before it is ready is an error with its last words", async () => {
  await expect(startChild(await child('throw new Error("DTAAS_DATA is missing")'))).rejects.toMatchObject({
    code: "CHILD_NOT_STARTED",
    message: expect.stringMatching(/exit code 1[\s\S]*DTAAS_DATA is missing/),
    hint: expect.stringContaining("logs/child.log"),
  });
});

test("what a crashed start left running is ended by the next one; a process that only has its number is not", async () => {
  const orphan = spawn("sleep", ["60"], { detached: true });
  const bystander = spawn("sleep", ["60"]);
  await rememberChild(dataFolder, "controller", orphan.pid);
  await rememberChild(dataFolder, "runner", bystander.pid);
  await writeFile(
    join(dataFolder, "processes", "runner.json"),
    JSON.stringify({ pid: bystander.pid, startTicks: 1 }),
  );
  expect(await endLeftovers(dataFolder)).toEqual(["controller"]);
  expect(identifyProcess(orphan.pid ?? 0)).toBeUndefined();
  expect(identifyProcess(bystander.pid ?? 0)).toBeDefined();
  expect(await endLeftovers(dataFolder)).toEqual([]);
  bystander.kill();
});
