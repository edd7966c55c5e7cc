import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, afterEach, test as base, expect, vi } from "vitest";
import { freePort } from "#embedded/processes/free-port";
import { type ExampleWorkspace, makeExampleWorkspace } from "./example-workspace.ts";
import { pythonPlace } from "./python-place.ts";

const deadline = { timeout: 30_000, interval: 50 };
const opened: ExampleWorkspace[] = [];

const place = await pythonPlace();
const test = base.skipIf(place === undefined);

afterAll(() => place?.close());

afterEach(async () => {
  await Promise.all(opened.splice(0).map((workspace) => workspace.remove()));
});

async function open(user: string): Promise<ExampleWorkspace> {
  if (place === undefined) throw new Error("there is no Python here");
  const workspace = await makeExampleWorkspace(user, place);
  opened.push(workspace);
  return workspace;
}

type Row = Record<string, number>;

async function readCsv(workspace: ExampleWorkspace, path: string): Promise<Row[]> {
  const [header = "", ...lines] = (await readFile(join(workspace.root, path), "utf8")).trim().split("\n");
  const names = header.split(",");
  return lines.map((line) => {
    const values = line.split(",").map(Number);
    return Object.fromEntries(names.map((name, index) => [name, values[index] ?? Number.NaN]));
  });
}

function value(row: Row | undefined, name: string): number {
  const found = row?.[name];
  if (found === undefined) throw new Error(`there is no ${name}`);
  return found;
}

const largest = (numbers: number[]) => Math.max(...numbers.map(Math.abs));

/** What a small program prints as JSON. It may import the named shared assets. */
async function compute(
  workspace: ExampleWorkspace,
  twin: string,
  assets: string[],
  program: string,
): Promise<unknown> {
  const paths = assets.map((asset) => join(workspace.root, "common", asset)).join(":");
  const { code, output } = await workspace.run(twin, ["python3", "-c", program], { PYTHONPATH: paths });
  expect(code, output).toBe(0);
  return JSON.parse(output);
}

async function getJson(url: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(url, { headers: { connection: "close" }, signal: AbortSignal.timeout(5_000) });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

// --- hello-world

test("hello-world goes through its life: created, executed, cleaned", async () => {
  const workspace = await open("user1");
  const run = (name: string) =>
    workspace.run("hello-world", [`lifecycle/${name}`], { GREETINGS: "2", PAUSE: "0" });
  expect((await run("execute")).output).toContain("Nothing was created yet");
  expect((await run("create")).output).toContain("1 line");
  const executed = await run("execute");
  expect(executed.output).toContain("created as hello-world of user1");
  expect(executed.output).toContain("Hello world, the 2. time.");
  expect(executed.code).toBe(0);
  expect((await run("clean")).code).toBe(0);
  expect((await run("execute")).output).toContain("Nothing was created yet");
});

test("terminate ends a hello-world that greets for ever", async () => {
  const workspace = await open("user1");
  const executing = workspace.start("hello-world", ["lifecycle/execute"], {
    GREETINGS: "100000",
    PAUSE: "0.05",
  });
  await vi.waitFor(() => expect(executing.output()).toContain("Hello world, the 1. time."), deadline);
  expect((await executing.beside(["lifecycle/terminate"])).output).toContain("Asked execute to stop.");
  expect(await executing.ended).toMatchObject({ code: 0, output: expect.stringContaining("Asked to stop.") });
  expect((await workspace.run("hello-world", ["lifecycle/terminate"])).output).toContain(
    "Nothing is running.",
  );
});

// --- mass-spring-damper

const springResults = "data/mass-spring-damper/output/results.csv";

async function simulateSprings(workspace: ExampleWorkspace, options = ""): Promise<Row[]> {
  const { code, output } = await workspace.run("mass-spring-damper", ["lifecycle/execute"], {
    COSIMULATION_OPTIONS: options,
  });
  expect(code, output).toBe(0);
  return readCsv(workspace, springResults);
}

/** x(t) of m x'' + d x' + c x = 0 with x(0) = x0 and x'(0) = 0, for weak damping. */
function dampedOscillator(
  t: number,
  { m, d, c, x0 }: { m: number; d: number; c: number; x0: number },
): number {
  const decay = d / (2 * m);
  const omega = Math.sqrt(c / m - decay ** 2);
  return x0 * Math.exp(-decay * t) * (Math.cos(omega * t) + (decay / omega) * Math.sin(omega * t));
}

/** Largest distance of both positions to the exact solution of the symmetric two-mass oscillator of the example. */
function springError(rows: Row[]): number {
  return largest(
    rows.flatMap((row) => {
      const t = value(row, "time");
      const sum = dampedOscillator(t, { m: 1, d: 0.5, c: 25, x0: 1 });
      const difference = dampedOscillator(t, { m: 1, d: 0.5 + 2 * 0.2, c: 25 + 2 * 10, x0: 1 });
      return [
        value(row, "left.x1") - (sum + difference) / 2,
        value(row, "right.x2") - (sum - difference) / 2,
      ];
    }),
  );
}

const springEnergy = (row: Row) => value(row, "left.energy1") + value(row, "right.energy2");
const springHeat = (row: Row) => value(row, "left.loss1") + value(row, "right.loss2");

test("two coupled masses move as the exact solution says, and their energy turns into heat and nothing else", async () => {
  const rows = await simulateSprings(await open("user1"));
  expect(rows).toHaveLength(1001);
  expect(value(rows.at(-1), "time")).toBe(10);
  expect(springError(rows)).toBeLessThan(0.01); // m, of 1 m
  expect(springEnergy(rows[0] ?? {})).toBeCloseTo(17.5, 9);
  expect(largest(rows.map((row) => springEnergy(row) + springHeat(row) - 17.5))).toBeLessThan(0.005 * 17.5);
  expect(springEnergy(rows.at(-1) ?? {})).toBeLessThan(0.01 * 17.5);
});

test.each(["jacobi", "gauss-seidel"])(
  "half the step is half the error of the co-simulation (%s)",
  async (algorithm) => {
    const workspace = await open("user1");
    const coarse = springError(await simulateSprings(workspace, `--algorithm ${algorithm} --step 0.002`));
    const fine = springError(await simulateSprings(workspace, `--algorithm ${algorithm} --step 0.001`));
    expect(coarse / fine).toBeGreaterThan(1.8);
    expect(coarse / fine).toBeLessThan(2.2);
  },
);

test("without the coupling each mass is a damped oscillator, exact to rounding", async () => {
  const workspace = await open("user1");
  const file = join(workspace.root, "digital_twins/mass-spring-damper/multimodel.json");
  const multimodel = JSON.parse(await readFile(file, "utf8"));
  Object.assign(multimodel.units.right.parameters, { cc: 0, dc: 0, x2_0: 0.5, d2: 1 });
  await writeFile(file, JSON.stringify(multimodel));
  const rows = await simulateSprings(workspace);
  const errors = rows.flatMap((row) => {
    const t = value(row, "time");
    return [
      value(row, "left.x1") - dampedOscillator(t, { m: 1, d: 0.5, c: 25, x0: 1 }),
      value(row, "right.x2") - dampedOscillator(t, { m: 1, d: 1, c: 25, x0: 0.5 }),
    ];
  });
  expect(largest(errors)).toBeLessThan(1e-9);
  expect(largest(rows.map((row) => springEnergy(row) + springHeat(row) - 15.625))).toBeLessThan(1e-8);
});

test("analyse prints the balance of the last simulation, and says so when there was none", async () => {
  const workspace = await open("user1");
  expect(await workspace.run("mass-spring-damper", ["lifecycle/analyse"])).toMatchObject({
    code: 1,
    output: expect.stringContaining("run execute first"),
  });
  await simulateSprings(workspace);
  const { output } = await workspace.run("mass-spring-damper", ["lifecycle/analyse"]);
  expect(output).toMatch(/energy at the start +17\.50000 J/);
});

// --- incubator

const thermalAssets = ["models/incubator-thermal", "functions/hysteresis"];
const newBox = `
import json
from thermal import Thermal, read_parameters
parameters = read_parameters("../../common/data/incubator/parameters.json")
`;

test("the incubator's box keeps its energy balance and cools as two exponentials", async () => {
  const workspace = await open("user1");
  const cooling = (await compute(
    workspace,
    "incubator",
    thermalAssets,
    `${newBox}
box = Thermal(parameters, room=0.0, air=10.0, heater=50.0)
rows = []
for _ in range(100):
    box.advance(7.0, False)
    rows.append([box.air, box.heater, box.stored() - box.energy_in + box.energy_lost])
print(json.dumps({"rows": rows}))`,
  )) as { rows: [number, number, number][] };

  // Ta' = a11 Ta + a12 Th, Th' = a21 Ta + a22 Th, solved by its eigenvalues.
  const [ca, ch, gb, gh] = [267.6, 329.3, 0.5763, 1.6705];
  const [a11, a12, a21, a22] = [-(gh + gb) / ca, gh / ca, gh / ch, -gh / ch];
  const root = Math.sqrt((a11 - a22) ** 2 + 4 * a12 * a21);
  const [fast, slow] = [(a11 + a22 - root) / 2, (a11 + a22 + root) / 2];
  const air = (t: number) => {
    const slope = a11 * 10 + a12 * 50; // Ta'(0)
    const ofSlow = (slope - fast * 10) / (slow - fast);
    return ofSlow * Math.exp(slow * t) + (10 - ofSlow) * Math.exp(fast * t);
  };
  expect(largest(cooling.rows.map(([found], k) => found - air(7 * (k + 1))))).toBeLessThan(1e-6); // K
  expect(largest(cooling.rows.map(([, , balance]) => balance))).toBeLessThan(1e-6); // J of about 16 kJ
});

test("with the heater always on the box ends where the heat lost equals the power", async () => {
  const workspace = await open("user1");
  const end = (await compute(
    workspace,
    "incubator",
    thermalAssets,
    `${newBox}
box = Thermal(parameters, room=21.0)
for _ in range(100):
    box.advance(200.0, True)
print(json.dumps({"air": box.air, "heater": box.heater, "balance": box.stored() - box.energy_in + box.energy_lost}))`,
  )) as { air: number; heater: number; balance: number };
  const power = 12.156 * 1.5355;
  expect(end.air).toBeCloseTo(21 + power / 0.5763, 4);
  expect(end.heater).toBeCloseTo(end.air + power / 1.6705, 4);
  expect(Math.abs(end.balance)).toBeLessThan(1e-4); // J, of 370 kJ
});

test("bang-bang with hysteresis keeps the box warm, and overshoots by the heat in the heater", async () => {
  const workspace = await open("user1");
  const air = (await compute(
    workspace,
    "incubator",
    thermalAssets,
    `${newBox}
from hysteresis import Hysteresis
box, switch, air = Thermal(parameters, room=21.0), Hysteresis(34.0, 36.0, on_when="low"), []
for _ in range(2000):
    box.advance(3.0, switch.decide(box.air))
    air.append(box.air)
print(json.dumps(air))`,
  )) as number[];
  const warmedUp = air.findIndex((temperature) => temperature >= 36);
  expect(warmedUp).toBeGreaterThan(0);
  const steady = air.slice(warmedUp);
  expect(Math.max(...steady)).toBeGreaterThan(36.2);
  expect(Math.max(...steady)).toBeLessThan(38);
  expect(Math.min(...steady)).toBeLessThan(34);
  expect(Math.min(...steady)).toBeGreaterThan(33);
});

async function incubatorPorts() {
  const [port, plantPort] = [await freePort(), await freePort()];
  const environment = {
    PORT: String(port),
    PLANT_PORT: String(plantPort),
    STEP_SECONDS: "0.05",
    TIME_SCALE: "1000",
  };
  return { url: `http://127.0.0.1:${port}`, plantUrl: `http://127.0.0.1:${plantPort}`, environment };
}

test("the incubator becomes healthy, switches its heater, and ends well when it is asked to terminate", async () => {
  const workspace = await open("user1");
  const { url, environment } = await incubatorPorts();
  const executing = workspace.start("incubator", ["lifecycle/execute"], {
    ...environment,
    DT_REVISION: "abc",
  });
  await vi.waitFor(async () => expect((await getJson(`${url}/healthz`)).status).toBe(200), deadline);
  await vi.waitFor(async () => {
    const { body } = await getJson(`${url}/state`);
    expect(body).toMatchObject({ twin: "incubator", revision: "abc", lower: 34, upper: 36 });
    expect(body["switched"]).toBeGreaterThan(2);
    const reading = body["reading"] as Row;
    const balance =
      value(reading, "energyStored") - value(reading, "energyIn") + value(reading, "energyLost");
    expect(Math.abs(balance)).toBeLessThan(1e-3);
  }, deadline);
  expect((await workspace.run("incubator", ["lifecycle/terminate"], environment)).code).toBe(0);
  expect(await executing.ended).toMatchObject({
    code: 0,
    output: expect.stringContaining("controller: heater off, ended"),
  });
});

test("the stop signal of the platform, which reaches all processes at once, ends the incubator well", async () => {
  const workspace = await open("user1");
  const { url, plantUrl, environment } = await incubatorPorts();
  const executing = workspace.start("incubator", ["lifecycle/execute"], environment);
  await vi.waitFor(async () => expect((await getJson(`${url}/healthz`)).status).toBe(200), deadline);
  await executing.kill("SIGTERM");
  // 143: stopped by a signal. Ended with 0 it would count as completed, and nobody would bring it back.
  expect(await executing.ended).toMatchObject({ code: 143, output: expect.stringContaining("heater off") });
  await expect(getJson(plantUrl)).rejects.toThrow();
});

test("a controller that is stopped takes its plant with it", async () => {
  const workspace = await open("user1");
  const { url, plantUrl, environment } = await incubatorPorts();
  const plant = workspace.start("incubator", ["./plant.py"], environment);
  const controller = workspace.start("incubator", ["./controller.py"], environment);
  await vi.waitFor(async () => expect((await getJson(`${url}/healthz`)).status).toBe(200), deadline);
  await controller.kill("SIGTERM");
  expect((await controller.ended).code).toBe(143);
  expect((await plant.ended).code).toBe(0); // told to by the controller
  await expect(getJson(plantUrl)).rejects.toThrow();
});

test("the incubator is unhealthy while its plant does not answer", async () => {
  const workspace = await open("user1");
  const { url, environment } = await incubatorPorts();
  workspace.start("incubator", ["./controller.py"], environment);
  await vi.waitFor(async () => expect((await getJson(`${url}/healthz`)).status).toBe(503), deadline);
  const plant = workspace.start("incubator", ["./plant.py"], environment);
  await vi.waitFor(async () => expect((await getJson(`${url}/healthz`)).status).toBe(200), deadline);
  await plant.kill("SIGKILL");
  await vi.waitFor(async () => expect((await getJson(`${url}/healthz`)).status).toBe(503), deadline);
});

test("a plant that hears nothing switches its heater off by itself, and gives up in the end", async () => {
  const workspace = await open("user1");
  const { plantUrl, environment } = await incubatorPorts();
  const plant = workspace.start("incubator", ["./plant.py"], { ...environment, FAIL_SAFE_SECONDS: "0.5" });
  await vi.waitFor(async () => expect((await getJson(plantUrl)).body["heaterOn"]).toBe(false), deadline);
  const answer = await fetch(`${plantUrl}/heater`, { method: "PUT", body: '{"on": true}' });
  expect(await answer.json()).toMatchObject({ heaterOn: true });
  const refused = await fetch(`${plantUrl}/heater`, { method: "PUT", body: '{"on": "yes"}' });
  expect(refused.status).toBe(400);
  expect(await plant.ended).toMatchObject({
    code: 1,
    output: expect.stringMatching(/heater off[\s\S]*the controller is gone/),
  });
});

// --- water-tank

test("a tank without inflow empties as Torricelli says, and not below empty", async () => {
  const workspace = await open("user2");
  const levels = (await compute(
    workspace,
    "water-tank",
    ["models/water-tank"],
    `
import json
from tank import Tank
tank, levels = Tank(1.0, level=2.0), []
for _ in range(300):
    tank.advance(0.1, 0.0, {"valve": 0.06})
    levels.append([tank.level, tank.level - 2.0 + tank.volume_out["valve"]])
print(json.dumps(levels))`,
  )) as [number, number][];
  const rate = ((0.6 * 0.06) / 1.0) * Math.sqrt(9.81 / 2);
  const exact = (t: number) => Math.max(0, Math.sqrt(2) - rate * t) ** 2;
  expect(largest(levels.map(([level], k) => level - exact(0.1 * (k + 1))))).toBeLessThan(1e-4); // m
  expect(Math.min(...levels.map(([level]) => level))).toBeGreaterThanOrEqual(0);
  expect(largest(levels.map(([, balance]) => balance))).toBeLessThan(1e-12); // m3
});

interface Detection {
  detected: boolean;
  delay: number | null;
  falseAlarms: number;
  estimatedFlow: number | null;
  leakedVolume: number;
  alarms: { from: number; to: number }[];
}

async function simulateTank(environment: Record<string, string>) {
  const workspace = await open("user2");
  const { code, output } = await workspace.run("water-tank", ["lifecycle/execute"], environment);
  expect(code, output).toBe(0);
  const report = await readFile(join(workspace.root, "data/water-tank/output/detection.json"), "utf8");
  const rows = await readCsv(workspace, "data/water-tank/output/results.csv");
  const { output: said } = await workspace.run("water-tank", ["lifecycle/analyse"]);
  return { rows, report: JSON.parse(report) as Detection, said };
}

test("the water tank stays between its levels, loses no water, and its leak is found", async () => {
  const { rows, report, said } = await simulateTank({ FAULT: "leak" });
  expect(rows).toHaveLength(1001);
  const levels = rows.map((row) => value(row, "level"));
  expect(Math.min(...levels)).toBeGreaterThan(0.97);
  expect(Math.max(...levels)).toBeLessThan(2.03);
  const balance = rows.map(
    (row) =>
      value(row, "level") -
      1 -
      (value(row, "volumeIn") - value(row, "volumeOut") - value(row, "volumeLeaked")),
  );
  expect(largest(balance)).toBeLessThan(1e-6); // m3; nine digits are kept
  expect(report).toMatchObject({ detected: true, falseAlarms: 0 });
  expect(report.delay).toBeGreaterThan(0);
  expect(report.delay).toBeLessThan(1);
  expect(report.estimatedFlow).toBeCloseTo(report.leakedVolume / 8, 2); // m3/s, over 8 s
  expect(rows.filter((row) => value(row, "fault") === 1)).toHaveLength(80);
  expect(said).toMatch(/Detection delay: 0\.\d s\./);
});

test("a stuck valve is found too, and a sound tank raises no alarm", async () => {
  const stuck = await simulateTank({ FAULT: "stuck-valve" });
  expect(stuck.report).toMatchObject({ detected: true, falseAlarms: 0 });
  expect(Math.max(...stuck.rows.map((row) => value(row, "level")))).toBeGreaterThan(2.3);
  expect(stuck.said).toContain("Missing outflow");
  const sound = await simulateTank({ FAULT: "none" });
  expect(sound.report).toMatchObject({ detected: false, delay: null, alarms: [] });
  expect(sound.said).toContain("No fault was injected.");
});

// --- three-tank

test("three tanks fill to the levels of Torricelli, and no water is lost when one of them is killed", async () => {
  const workspace = await open("user2");
  const service = ["python3", join(workspace.root, "common/digital_twins/tank/service.py")];
  const settings = ["1.0/0.006", "0.8/0.0065", "0.6/0.007"].map((text) => text.split("/"));
  const ports = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
  const urls = ports.map((port) => `http://127.0.0.1:${port}`);
  const startTank = (k: number) =>
    workspace.start(`tank-${k + 1}`, service, {
      PORT: String(ports[k]),
      AREA: settings[k]?.[0] ?? "",
      OUTLET: settings[k]?.[1] ?? "",
      TIME_SCALE: "500",
      STEP_SECONDS: "0.02",
      PIPE_SECONDS: "200",
      ...(k === 0 ? { INFLOW: "0.02" } : { UPSTREAM: urls[k - 1] ?? "" }),
    });
  startTank(0);
  const second = startTank(1);
  startTank(2);
  const observer = workspace.start("three-tank", ["./observe.py"], {
    PORT: String(ports[3]),
    TANKS: urls.slice(0, 3).join(" "),
    STEP_SECONDS: "0.1",
  });
  type Account = { balanced: boolean; missing: string | null; tanks: Row[] };
  const account = async () => (await getJson(`${urls[3]}/state`)).body as unknown as Account;
  const steady = async () => {
    const { balanced, tanks, missing } = await account();
    expect(balanced).toBe(true);
    expect(missing).toBeNull();
    // h = (q / (Cd a))^2 / 2g; water arrives in portions, so the levels behind the first tank ripple.
    const expected = settings.map(([, outlet]) => (0.02 / (0.6 * Number(outlet))) ** 2 / (2 * 9.81));
    expect(largest(tanks.map((tank, k) => value(tank, "level") - (expected[k] ?? 0)))).toBeLessThan(0.06);
    return tanks;
  };
  await vi.waitFor(async () => expect((await getJson(`${urls[3]}/healthz`)).status).toBe(200), deadline);
  const before = await vi.waitFor(steady, deadline);

  await second.kill("SIGKILL");
  await second.ended;
  await vi.waitFor(async () => expect((await account()).missing).toContain(urls[1]), deadline);
  startTank(1);
  const after = await vi.waitFor(steady, deadline);
  // What the second tank counted before it was killed still counts, and what was on its way has arrived.
  expect(value(after[1], "volumeIn")).toBeGreaterThan(value(before[1], "volumeIn"));
  expect(largest(after.map((tank) => value(tank, "error")))).toBeLessThan(1e-6);
  const neverSeen = (tanks: Row[], k: number) =>
    value(tanks[k - 1], "volumeOut") - value(tanks[k], "volumeIn") - value(tanks[k], "onTheWay");
  for (const k of [1, 2]) expect(neverSeen(after, k)).toBeCloseTo(neverSeen(before, k), 6);
  expect(observer.output()).not.toContain("WATER IS MISSING");
});
