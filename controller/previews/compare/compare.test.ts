import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { WantedPreview } from "#schemas/previews";
import { compareColumns, somePoints } from "./compare-columns.ts";
import { comparePreview, operationOf } from "./compare-preview.ts";
import { maxCsvBytes, readColumn } from "./read-column.ts";

const read = (text: string | Buffer, column = "level") =>
  readColumn(Readable.from([Buffer.from(text)]), column);

describe("a column of a CSV file", () => {
  test("is found by its heading, quoted or not, with either line end and a byte order mark", async () => {
    expect(await read("time,level\n0,1.5\n1,-2e3\n")).toEqual({ values: [1.5, -2000] });
    expect(await read('\ufefflevel,"a, b"\r\n1,"x\r\ny"\r\n\r\n2,z\r\n')).toEqual({ values: [1, 2] });
    expect(await read("level , time\n 3 ,0\n")).toEqual({ values: [3] });
  });

  test.each([
    ["", "is empty"],
    ["level\n", "has no rows"],
    ["time,levle\n0,1\n", "has no column `level`: it has `time`, `levle`; did you mean `levle`?"],
    ["time,level\n0,1\n1,high\n", "has a row 2 in which `level` is `high`, which is no number"],
    ["time,level\n0,\n", "has a row 1 in which `level` is empty"],
    ["time,level\n0\n", "has a row 1 in which `level` is empty"],
    ["time,level\n0,NaN\n", "has a row 1 in which `level` is `NaN`, which is no number"],
    ["time,level\n0,Infinity\n", "has a row 1 in which `level` is `Infinity`, which is no number"],
  ])("%j is told what is wrong with it", async (text, problem) => {
    expect(await read(text)).toEqual({ problem });
  });

  test("that is no CSV is told so, and not held in memory", async () => {
    expect(await read('level\n"1')).toEqual({ problem: expect.stringContaining("is no CSV file") });
    expect(await read(Buffer.alloc(1024 * 1024, 120))).toEqual({
      problem: expect.stringContaining("is no CSV file"),
    });
    const endless = (function* () {
      for (;;) yield Buffer.alloc(64 * 1024, 120);
    })();
    expect(await readColumn(Readable.from(endless), "level")).toHaveProperty("problem");
    const rows = (function* () {
      yield Buffer.from("level\n");
      for (;;) yield Buffer.from("1\n".repeat(10_000));
    })();
    expect(await readColumn(Readable.from(rows), "level")).toEqual({ problem: "has more than 1000000 rows" });
  });

  test("whatever its bytes, is numbers or a problem", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
        const column = await read(Buffer.concat([Buffer.from("level\n"), bytes]));
        if ("values" in column) expect(column.values.every(Number.isFinite)).toBe(true);
        else expect(column.problem).not.toBe("");
      }),
      { numRuns: 300 },
    );
  });

  test("a file that cannot be read on is no finding about the CSV", async () => {
    const broken = new Readable({ read: (): void => void broken.destroy(new Error("EIO")) });
    await expect(readColumn(broken, "level")).rejects.toThrow("EIO");
  });
});

describe("two columns", () => {
  test("pass when no row differs by more than the tolerance, and tell where they differ most", () => {
    expect(compareColumns([1, 2, 3], [1, 2.5, 2.9], 0.5)).toEqual({
      verdict: "pass",
      rows: 3,
      maxDifference: 0.5,
      atRow: 2,
      meanDifference: expect.closeTo(0.2),
      live: [1, 2, 3],
      preview: [1, 2.5, 2.9],
    });
    expect(compareColumns([1, 2, 3], [1, 2.6, 3], 0.5)).toMatchObject({ verdict: "fail", atRow: 2 });
    expect(compareColumns([1], [1], 0)).toMatchObject({
      verdict: "pass",
      maxDifference: 0,
      meanDifference: 0,
    });
  });

  test("rounding of the last digit fails nobody", () => {
    expect(1.1 - 1).toBeGreaterThan(0.1);
    expect(compareColumns([1], [1.1], 0.1).verdict).toBe("pass");
  });

  test("of different length cannot be compared, and are still shown", () => {
    expect(compareColumns([1], [1, 2], 9)).toEqual({
      verdict: "cannot-compare",
      reason: "different row counts: 2 in the preview, 1 in the live run",
      rows: 2,
      live: [1],
      preview: [1, 2],
    });
  });

  test("as far apart as numbers can be are still told as numbers", () => {
    const { maxDifference, meanDifference } = compareColumns([-Number.MAX_VALUE], [Number.MAX_VALUE], 0);
    expect([maxDifference, meanDifference]).toEqual([Number.MAX_VALUE, Number.MAX_VALUE]);
  });

  test("are shown by at most sixty points, the first and the last among them", () => {
    const many = Array.from({ length: 10_001 }, (_, index) => index);
    const points = somePoints(many);
    expect([points.length, points[0], points.at(-1)]).toEqual([60, 0, 10_000]);
    expect(points).toEqual([...points].sort((a, b) => a - b));
    expect(somePoints([1, 2])).toEqual([1, 2]);
  });
});

describe("the comparisons of a preview", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "compare-"));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const operation = { run: "x", workingDir: ".", graceMs: 0 };
  const wanted = (file = "data/out/x.csv"): WantedPreview => ({
    ...{ name: "tank", commit: "a", attempt: 1, wantedAt: "", ttlMs: 1, durationMs: 1, sourceKey: "k" },
    operations: [
      { ...operation, name: "create", outputs: ["data/out"] },
      { ...operation, name: "execute", outputs: ["data/out"] },
    ],
    compare: [{ file, column: "level", tolerance: 1 }],
    ...{ own: { project: "p/q", commit: "a" }, shared: [], environment: {} },
    workspace: { template: "base", packages: { apt: [], pip: [] } },
    resources: { cpus: 1, memoryBytes: 1, pids: 1 },
  });
  const run = async (id: string, text?: string) => {
    const path = join(folder, id, "outputs/data/out/x.csv");
    await mkdir(dirname(path), { recursive: true });
    if (text !== undefined) await writeFile(path, text);
    return new Map([["execute", { id, folder: join(folder, id) }]]);
  };

  test("read the file of the last operation that keeps it", () => {
    expect(operationOf(wanted(), "data/out/x.csv")).toBe("execute");
    expect(operationOf(wanted(), "data/other.csv")).toBeUndefined();
  });

  test("set the numbers side by side", async () => {
    const runs = { preview: await run("p", "level\n1\n2\n"), live: await run("l", "level\n1\n5\n") };
    expect(await comparePreview(wanted(), runs)).toEqual([
      {
        ...{ file: "data/out/x.csv", column: "level", tolerance: 1, verdict: "fail", rows: 2 },
        ...{ maxDifference: 3, atRow: 2, meanDifference: 1.5, live: [1, 5], preview: [1, 2] },
      },
    ]);
  });

  test("say what keeps them from being made", async () => {
    const good = await run("good", "level\n1\n");
    const none = new Map<string, never>();
    const said = async (runs: Parameters<typeof comparePreview>[1], file?: string) => {
      const [only] = await comparePreview(wanted(file), runs);
      expect(only?.verdict).toBe("cannot-compare");
      return only?.reason;
    };
    expect(await said({ preview: none, live: good })).toMatch(/execute of the preview has not ended well/);
    expect(await said({ preview: good, live: none })).toMatch(/no successful run of execute yet/);
    expect(await said({ preview: await run("empty"), live: good })).toMatch(/was not left by its run/);
    expect(await said({ preview: good, live: await run("text", "level\nhigh\n") })).toMatch(
      /the file of the live run has a row 1/,
    );
    expect(await said({ preview: good, live: good }, "data/other.csv")).toMatch(/no `outputs`/);
    const large = await run("large", `level\n${"1\n".repeat(maxCsvBytes / 2)}`);
    expect(await said({ preview: large, live: good })).toMatch(/has more than 32 MiB/);
  });

  test("never follow a link out of what was kept", async () => {
    await writeFile(join(folder, "secret.csv"), "level\n1\n");
    const preview = await run("p");
    await symlink(join(folder, "secret.csv"), join(folder, "p/outputs/data/out/x.csv"));
    const [only] = await comparePreview(wanted(), { preview, live: preview });
    expect(only?.reason).toMatch(/was not left by its run/);
  });
});
