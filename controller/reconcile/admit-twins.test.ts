import { expect, test } from "vitest";
import { desiredTwin } from "#planning/simulated-twin";
import type { DesiredState, DesiredTwin } from "#schemas/desired-state";
import type { UserLimits } from "#schemas/twin-spec";
import { admitTwins, admittedBefore } from "./admit-twins.ts";

const mib = 1024 ** 2;
const revision = "f".repeat(40);
let clock = 0;

function twin(name: string, cpus = 1, more: Partial<DesiredTwin> = {}): DesiredTwin {
  const made = desiredTwin(`key of ${name} with ${cpus}`, {
    spec: { resources: { cpus, memoryBytes: cpus * 512 * mib, pids: 100 } },
  });
  return { ...made, name, ...more };
}

/** One reconciliation after another, each a second later. */
function admit(
  twins: DesiredTwin[],
  limits: UserLimits | undefined,
  before: DesiredTwin[] = [],
): DesiredTwin[] {
  clock += 1_000;
  return admitTwins(twins, {
    user: "user1",
    revision,
    limits,
    before: admittedBefore({ twins: before } as DesiredState),
    now: new Date(Date.UTC(2026, 0, 1) + clock).toISOString(),
    locate: (name) => ({ file: `digital_twins/${name}/dt.yaml`, line: 7, column: 3 }),
  });
}

const refused = (twins: DesiredTwin[]) => twins.flatMap(({ name, overLimit }) => (overLimit ? [name] : []));

test("without limits everybody is kept up", () => {
  expect(refused(admit([twin("a", 64), twin("b", 64)], undefined))).toEqual([]);
});

test.each<[UserLimits, string]>([
  [{ twins: 2 }, "user1 would use 3 running twins, 2 are allowed (limits.perUser.twins in platform.yaml)"],
  [{ cpus: 2 }, "user1 would use 3 processor cores, 2 are allowed (limits.perUser.cpus in platform.yaml)"],
  [{ memoryBytes: 1024 * mib }, "user1 would use 1536 MiB of memory, 1024 MiB are allowed"],
])("of new twins those that come last by name are refused, and say which limit: %j", (limits, words) => {
  const twins = admit([twin("c"), twin("a"), twin("b")], limits);
  expect(refused(twins)).toEqual(["c"]);
  expect(twins[0]?.overLimit).toContain(words);
});

test("stopped twins take nothing", () => {
  expect(refused(admit([twin("a", 9, { state: "stopped" }), twin("b")], { cpus: 1 }))).toEqual([]);
});

test("a new twin makes nobody who runs give way, whatever its name, and the same ones are refused again and again", () => {
  const limits = { twins: 2 };
  let twins = admit([twin("m"), twin("n")], limits);
  for (let round = 0; round < 3; round += 1) {
    twins = admit([twin("a"), twin("m"), twin("n"), twin("z")], limits, twins);
    expect(refused(twins)).toEqual(["a", "z"]);
  }
  expect(refused(admit([twin("a"), twin("n"), twin("z")], limits, twins))).toEqual(["z"]);
});

test("a small twin may run where a large one before it does not fit", () => {
  expect(refused(admit([twin("a", 1), twin("b", 3), twin("c", 1)], { cpus: 2 }))).toEqual(["b"]);
});

test("a twin that grows beyond the limit goes on as it was, and its commit says why", () => {
  const limits = { cpus: 3 };
  const before = admit([twin("a"), twin("b")], limits);
  const grown = twin("a", 3);
  const after = admit([grown, twin("b")], limits, before);
  expect(refused(after)).toEqual([]);
  expect(after[0]).toMatchObject({
    sourceKey: before[0]?.sourceKey,
    spec: { resources: { cpus: 1 } },
    brokenSince: {
      revision,
      diagnostics: [{ code: "limit-exceeded", file: "digital_twins/a/dt.yaml", line: 7, column: 3 }],
    },
  });
  const roomy = admit([grown], limits, after);
  expect(roomy[0]).toMatchObject({ sourceKey: grown.sourceKey, spec: { resources: { cpus: 3 } } });
  expect(roomy[0]?.brokenSince).toBeUndefined();
});

test("a limit that is lowered stops those that were started last", () => {
  const first = admit([twin("z")], undefined);
  const second = admit([twin("a"), twin("z")], undefined, first);
  const third = admit([twin("a"), twin("b"), twin("z")], undefined, second);
  const lowered = admit([twin("a"), twin("b"), twin("z")], { twins: 1 }, third);
  expect(refused(lowered)).toEqual(["a", "b"]);
  expect(refused(admit([twin("a"), twin("b"), twin("z")], undefined, lowered))).toEqual([]);
});

test("deciding again with nothing new changes nothing", () => {
  const limits = { twins: 2, cpus: 3 };
  const once = admit([twin("a"), twin("b", 2), twin("c")], limits);
  expect(admit([twin("a"), twin("b", 2), twin("c")], limits, once)).toEqual(once);
});

test("fractions of cores add up", () => {
  const twins = Array.from({ length: 10 }, (_, index) => twin(`t${index}`, 0.1));
  expect(refused(admit(twins, { cpus: 1 }))).toEqual([]);
  expect(refused(admit([...twins, twin("x", 0.1)], { cpus: 1 }))).toEqual(["x"]);
});
