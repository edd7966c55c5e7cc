import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type ApiFixture, desiredTwin, startApi } from "../../test/fixtures/api-fixture.ts";
import { runDtaas } from "../../test/fixtures/run-dtaas.ts";

let api: ApiFixture;
let as: (who: string) => { environment: Record<string, string> };

beforeEach(async () => {
  api = await startApi();
  as = (who) => ({ environment: { DTAAS_URL: api.url, DTAAS_TOKEN: who } });
  await api.desire("user1", [desiredTwin("tank"), desiredTwin("pump")]);
});
afterEach(async () => await api.close());

const last = () => api.gitlab.pipelines.at(-1);

test("a pipeline is started for each twin, with an operation, variables and inputs", async () => {
  const words = ["-o", "execute", "--var", "RunnerTag=linux", "--input", "steps=3", "--input", "plant=eu"];
  const { code, out } = await runDtaas(["pipeline", "run", "tank", "user1/pump", ...words], as("user1"));
  expect(code).toBe(0);
  expect(out.match(/started/g)).toHaveLength(2);
  expect(
    api.gitlab.pipelines.map(({ variables }) => variables.find(({ key }) => key === "DTName")?.value),
  ).toEqual(["tank", "pump"]);
  expect(last()?.variables).toContainEqual({ key: "RunnerTag", value: "linux" });
  expect(last()?.inputs).toEqual({ steps: 3, plant: "eu" });
  const listed = await runDtaas(["pipeline", "list"], as("user1"));
  expect(listed.out).toMatch(/PIPELINE +STATE +REF/);
  expect(listed.out.split("\n")[1]).toContain(`user1/${last()?.id}`);
});

test("run -f shows the jobs' logs as they come, and ends with the pipeline's outcome", async () => {
  const going = runDtaas(["pipeline", "run", "tank", "-o", "execute", "-f"], as("user1"));
  await vi.waitFor(() => expect(last()).toBeDefined(), 10_000);
  const job = api.gitlab.job(last()?.id ?? 0, "execute");
  job.trace = "filling \u001b[2J\u001b[32mthe tank\u001b[0m\r\n";
  await vi.waitFor(() => expect(api.gitlab.asked).toContain(`GET jobs/${job.id}/trace`), 10_000);
  job.trace += "full\n";
  job.status = "failed";
  job.reason = "script_failure";
  const made = last();
  if (made) made.status = "failed";
  const { code, out, err } = await going;
  expect(code).toBe(1);
  expect(out).toBe("filling the tank\nfull\n");
  expect(err).toContain("execute running");
});

test("show tells the jobs, and below a trigger the jobs of the pipeline that it has made", async () => {
  api.gitlab.jobNames = ["trigger_tank"];
  const parent = api.gitlab.make(2);
  api.gitlab.jobNames = ["execute"];
  const child = api.gitlab.make(2, { source: "parent_pipeline" });
  api.gitlab.job(parent.id, "trigger_tank").downstream = child.id;
  const { out } = await runDtaas(["pipeline", "show", `user1/${parent.id}`], as("reporter"));
  expect(out).toMatch(new RegExp(`trigger_tank +waiting .*pipeline ${child.id}`));
  expect(out).toMatch(/\n {4}execute +running/);
  const missing = await runDtaas(["pipeline", "show", "user1/7"], as("reporter"));
  expect([missing.code, missing.err]).toEqual([5, expect.stringContaining("[PIPELINE_NOT_FOUND]")]);
  expect((await runDtaas(["pipeline", "show", "x"], as("reporter"))).code).toBe(2);
});

test("logs prints what the jobs have printed, or one of them", async () => {
  const made = api.gitlab.make(2);
  api.gitlab.job(made.id, "execute").trace = "one\ntwo";
  const { out } = await runDtaas(["pipeline", "logs", String(made.id), "--job", "execute"], as("user1"));
  expect(out).toBe("one\ntwo\n");
  const missing = await runDtaas(["pipeline", "logs", String(made.id), "--job", "exeute"], as("user1"));
  expect(missing.err).toContain("did you mean `execute`?");
});

test("cancel, play and retry say where it is then", async () => {
  const made = api.gitlab.make(2);
  const name = `user1/${made.id}`;
  api.gitlab.job(made.id, "execute").status = "manual";
  expect((await runDtaas(["pipeline", "play", name, "execute"], as("user1"))).out).toContain(
    "execute running",
  );
  expect((await runDtaas(["pipeline", "cancel", name], as("user1"))).out).toBe(`${name} cancelled\n`);
  expect((await runDtaas(["pipeline", "retry", name], as("user1"))).out).toBe(`${name} running\n`);
  expect((await runDtaas(["pipeline", "cancel", name, "execute"], as("user1"))).out).toContain(
    "execute cancelled",
  );
  expect((await runDtaas(["pipeline", "cancel", name], as("reporter"))).code).toBe(4);
});
