import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { packageRoot } from "#core/package-root";
import { runDtaas } from "../../test/fixtures/run-dtaas.ts";

let folder: string;

beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), "dtaas-generate-")), "user2");
  await cp(join(packageRoot, "examples/user2"), folder, { recursive: true });
  await writeFile(join(folder, ".gitlab-ci.yml"), "# ours\nlint:\n  script: make lint\n");
});
afterEach(async () => await rm(join(folder, ".."), { recursive: true, force: true }));

test("generate prints the whole file, shows the difference, and writes only when told", async () => {
  const before = await readFile(join(folder, ".gitlab-ci.yml"), "utf8");
  const { code, out, err } = await runDtaas(["pipeline", "generate", folder], {});
  expect(code).toBe(0);
  expect(out.startsWith(before)).toBe(true);
  expect(err).toContain("added: tank-1, tank-2, tank-3, three-tank, water-tank");
  const diff = await runDtaas(["pipeline", "generate", folder, "--diff"], {});
  expect(diff.out).toContain("+trigger_water-tank:");
  expect(diff.out).not.toContain("-lint");
  expect(await readFile(join(folder, ".gitlab-ci.yml"), "utf8")).toBe(before);
  await runDtaas(["pipeline", "generate", folder, "--write", "--library", "lab/shared"], {});
  expect(await readFile(join(folder, ".gitlab/dtaas-twin.yml"), "utf8")).toContain('project: "lab/shared"');
  const again = await runDtaas(["pipeline", "generate", folder], {});
  expect([again.out, again.err]).toEqual(["", "nothing is to be written\n"]);
  await mkdir(join(folder, "digital_twins/pump/lifecycle"), { recursive: true });
  await writeFile(join(folder, "digital_twins/pump/lifecycle/create"), "#!/bin/sh\n", { mode: 0o755 });
  await rm(join(folder, "digital_twins/water-tank"), { recursive: true });
  const changed = await runDtaas(["pipeline", "generate", folder, "--json"], {});
  expect(JSON.parse(changed.out)).toMatchObject({ added: ["pump"], removed: ["water-tank"], theirs: [] });
});

test("a file with a mistake, or with the jobs included already, is refused with its reason", async () => {
  await writeFile(join(folder, ".gitlab-ci.yml"), "a: [\n");
  const broken = await runDtaas(["pipeline", "generate", folder], {});
  expect([broken.code, broken.err]).toEqual([
    1,
    expect.stringMatching(/\.gitlab-ci\.yml:\d+:\d+: .*PIPELINE_BROKEN/),
  ]);
  await cp(join(packageRoot, "examples/user2/.gitlab-ci.yml"), join(folder, ".gitlab-ci.yml"));
  expect((await runDtaas(["pipeline", "generate", folder], {})).err).toContain("PIPELINE_INCLUDED");
});
