import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { sourceKey } from "#controller/reconcile/source-key";
import { type ApiFixture, desiredTwin, startApi } from "../../test/fixtures/api-fixture.ts";
import { runDtaas } from "../../test/fixtures/run-dtaas.ts";
import { validateFolder } from "../validate/validate-folder.ts";
import { planFolder, treeIds } from "./plan-folder.ts";

let api: ApiFixture;
let root: string;

beforeEach(async () => {
  api = await startApi();
  root = join(await mkdtemp(join(tmpdir(), "plan-")), "user1");
  await twin("tank", "{ state: running, lifecycle: { execute: { run: [sleep, '9'] } } }");
});
afterEach(async () => await api.close());

async function twin(name: string, spec: string) {
  const folder = join(root, "digital_twins", name);
  await mkdir(folder, { recursive: true });
  const text = `apiVersion: dtaas/v1\nkind: DigitalTwin\nmetadata: { name: ${name} }\nspec: ${spec}\n`;
  await writeFile(join(folder, "dt.yaml"), text);
}

const environment = () => ({ DTAAS_URL: api.url, DTAAS_TOKEN: "reporter" });

test("without a platform everything is new, and it says that nothing was compared", async () => {
  const { code, out } = await runDtaas(["plan"], { folder: root });
  expect(code).toBe(0);
  expect(out).toMatch(/^not compared with what runs: nothing is known of a platform/);
  expect(out).toMatch(/^ {2}start +user1\/tank +new$/m);
});

test("a folder is compared with what runs: what is unchanged stays, the rest is told with its reason", async () => {
  const folder = { root, user: "user1" };
  const nobody = async () => {
    throw new Error("asked");
  };
  await expect(planFolder(folder, nobody)).rejects.toThrow("asked");
  await api.desire("user1", [desiredTwin("tank"), desiredTwin("old"), desiredTwin("broken")]);
  const observed = { phase: "live" as const, since: "2026-01-01T00:00:00.000Z", restarts: 0 };
  await twin("broken", "{ stat: running }");
  await twin("extra", "{ state: running, lifecycle: { execute: { run: [sleep, '9'] } } }");
  const plan = async (sourceKey: string) => {
    await api.observe("user1", [
      { ...observed, name: "tank", sourceKey },
      { ...observed, name: "old" },
      { ...observed, name: "broken" },
    ]);
    const { out } = await runDtaas(["plan", root, "--json"], { environment: environment() });
    return JSON.parse(out) as {
      changes: { twin: string; action: string; reason: string }[];
      observedAgeMs: number;
    };
  };
  const changed = await plan("f".repeat(64));
  expect(changed.changes.map(({ twin: name, action }) => `${name} ${action}`)).toEqual([
    "broken keep",
    "extra start",
    "old remove",
    "tank restart",
  ]);
  expect(changed.changes[0]?.reason).toContain("digital_twins/broken/dt.yaml:4:9");
  expect(changed.observedAgeMs).toBeGreaterThan(0);
});

test("a twin whose folder and shared assets are as they run is kept; a change of a shared asset restarts it", async () => {
  const common = join(root, "../common");
  await mkdir(join(common, "models/pump"), { recursive: true });
  await writeFile(join(common, "models/pump/model.py"), "rate = 1\n");
  await twin(
    "tank",
    "{ state: running, assets: [{ model: common/models/pump }], lifecycle: { execute: { run: [sleep, '9'] } } }",
  );
  await api.desire("user1", [desiredTwin("tank")]);
  const { result, tree, common: shared } = await validateFolder({ root, user: "user1" });
  const document = result.twins[0]?.document;
  if (!document || !shared) throw new Error("the fixture is broken");
  const runs = sourceKey({ name: "tank", spec: document.spec }, treeIds(tree), treeIds(shared));
  const since = "2026-01-01T00:00:00.000Z";
  await api.observe("user1", [{ name: "tank", phase: "live", since, restarts: 0, sourceKey: runs }]);
  const plan = async () => (await runDtaas(["plan", root], { environment: environment() })).out;
  expect(await plan()).toMatch(/^ {2}keep +user1\/tank/m);
  await writeFile(join(common, "models/pump/model.py"), "rate = 2\n");
  expect(await plan()).toMatch(/^ {2}restart +user1\/tank/m);
  await rm(common, { recursive: true });
  expect(await plan()).toMatch(/^ {2}restart +user1\/tank .* or nothing: it uses common\//m);
});

test("a user's plan is the platform's own, with the age of what was observed", async () => {
  for (const subject of ["user1", "dtaas/user1"]) {
    const { code, out } = await runDtaas(["plan", subject], { environment: environment() });
    expect([subject, code]).toEqual([subject, 0]);
    expect(out).toMatch(/^ {2}try-again +user1\/tank +try again$/m);
    expect(out).toContain("by what was observed");
  }
  expect((await runDtaas(["plan", "nobody"], { environment: environment() })).code).toBe(5);
});

test("a twin beyond the limits of a platform folder is told, and those that run come first", async () => {
  const platform = await mkdtemp(join(tmpdir(), "platform-"));
  const text =
    "apiVersion: dtaas/v1\nkind: Platform\nspec: { group: dtaas, limits: { perUser: { twins: 1 } } }\n";
  await writeFile(join(platform, "platform.yaml"), text);
  await twin("another", "{ state: running, lifecycle: { execute: { run: [sleep, '9'] } } }");
  await api.desire("user1", [desiredTwin("tank")]);
  await api.observe("user1", [
    { name: "tank", phase: "live", since: "2026-01-01T00:00:00.000Z", restarts: 0 },
  ]);
  const { out } = await runDtaas(["plan", "--platform", platform], {
    folder: root,
    environment: environment(),
  });
  await rm(platform, { recursive: true });
  expect(out).toMatch(
    /^ {2}refuse +user1\/another +over the limit: user1 would use 2 running twins, 1 are allowed/m,
  );
  expect(out).not.toMatch(/refuse +user1\/tank/);
});
