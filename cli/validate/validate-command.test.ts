import { chmod, mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { runDtaas } from "../../test/fixtures/run-dtaas.ts";

const good = "apiVersion: dtaas/v1\nkind: DigitalTwin\nmetadata: { name: NAME }\nspec: {}\n";
let root: string;

beforeEach(async () => {
  root = join(await mkdtemp(join(tmpdir(), "validate-")), "user1");
  await twin("tank", good);
  await twin("pump", good.replace("spec: {}", "spec:\n  stat: running"));
});

async function twin(name: string, text: string) {
  const folder = join(root, "digital_twins", name);
  await mkdir(join(folder, "lifecycle"), { recursive: true });
  await writeFile(join(folder, "lifecycle/execute"), "#!/bin/sh\n");
  await chmod(join(folder, "lifecycle/execute"), 0o755);
  await writeFile(join(folder, "dt.yaml"), text.replace("NAME", name));
}

test("problems are printed like a compiler's, with what to do, and the exit code is 1", async () => {
  const { code, out } = await runDtaas(["validate"], { folder: root });
  expect(code).toBe(1);
  expect(out).toMatch(/^digital_twins\/pump\/dt\.yaml:5:3: error: .*stat.* \[unknown-field\]$/m);
  expect(out).toMatch(/^ {4}hint: did you mean `state`\?$/m);
  expect(out).toMatch(/^2 twins: 1 error, 0 warnings$/m);
});

test("paths are shown from where somebody stands", async () => {
  const { out } = await runDtaas(["validate", "user1"], { folder: join(root, "..") });
  expect(out).toContain("user1/digital_twins/pump/dt.yaml:5:3:");
});

test("one twin is checked alone, by its folder or its file", async () => {
  for (const path of ["digital_twins/tank", "digital_twins/tank/dt.yaml", "digital_twins/tank/lifecycle"]) {
    const { code, out } = await runDtaas(["validate", path], { folder: root });
    expect([path, code, out]).toEqual([path, 0, "1 twin: 0 errors, 0 warnings\n"]);
  }
  expect((await runDtaas(["validate", join(root, "digital_twins/pump/dt.yaml")])).code).toBe(1);
});

test("a shared-asset repository beside this one is looked at, too", async () => {
  const spec = "spec:\n  assets:\n    - model: common/models/pump";
  await twin("pump", good.replace("spec: {}", spec));
  expect((await runDtaas(["validate"], { folder: root })).code).toBe(0);
  await mkdir(join(root, "../common/models/other"), { recursive: true });
  const { code, out } = await runDtaas(["validate"], { folder: root });
  expect(code).toBe(1);
  expect(out).toMatch(/pump\/dt\.yaml:6:\d+: error: .*\[asset-missing\]/);
});

test("--json tells the same", async () => {
  const { code, out } = await runDtaas(["validate", "--json"], { folder: root });
  expect(code).toBe(1);
  expect(JSON.parse(out)).toMatchObject({
    ok: false,
    errors: 1,
    twins: [
      { name: "pump", valid: false },
      { name: "tank", valid: true, operations: ["execute"] },
    ],
    diagnostics: [{ code: "unknown-field", line: 5, column: 3 }],
  });
});

test("what is not there is said without a stack trace", async () => {
  const { code, err } = await runDtaas(["validate", "nothing"], { folder: root });
  expect(code).toBe(5);
  expect(err).toBe(
    "error: there is nothing at nothing [PATH_NOT_FOUND]\n  hint: give the folder of a repository, or a dt.yaml\n",
  );
});
