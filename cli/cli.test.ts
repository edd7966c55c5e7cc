import { appendFile, mkdir, mkdtemp, readdir, readFile, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { writeJsonAtomic } from "#core/atomic-file";
import { runFolder } from "#core/data-folder";
import {
  type ApiFixture,
  desiredTwin,
  manifestOf,
  outcomeOf,
  revision,
  startApi,
} from "../test/fixtures/api-fixture.ts";
import { runDtaas } from "../test/fixtures/run-dtaas.ts";

const id = "r0000000000000000a";
const tank = { name: "tank", phase: "live" as const, since: "2026-01-01T00:00:00.000Z", restarts: 2 };
let api: ApiFixture;
let as: (who: string) => { environment: Record<string, string> };

beforeEach(async () => {
  api = await startApi();
  as = (who) => ({ environment: { DTAAS_URL: api.url, DTAAS_TOKEN: who } });
  await api.desire("user1", [desiredTwin("tank"), desiredTwin("pump", { state: "stopped" })]);
  await api.observe("user1", [
    { ...tank, revision },
    { ...tank, name: "pump", phase: "failed", reason: "exit\u001b[2J code 3" },
  ]);
});
afterEach(async () => await api.close());

test("list shows each twin on a line, and what others wrote cannot play with the terminal", async () => {
  const { code, out } = await runDtaas(["twin", "list"], as("reporter"));
  expect(code).toBe(0);
  const lines = out.trimEnd().split("\n");
  expect(lines[0]).toMatch(/^TWIN +PHASE +SINCE +STATE +RESTARTS +REVISION +REMARK$/);
  expect(lines[1]).toMatch(/^user1\/pump +failed .* stopped .* exit code 3$/);
  expect(lines[2]).toMatch(/^user1\/tank +live .* running +2 +11111111$/);
  expect(out).not.toContain("\u001b");
  const json = await runDtaas(["twin", "list", "--phase", "live", "--json"], as("reporter"));
  expect(JSON.parse(json.out)).toMatchObject({ items: [{ name: "tank", phase: "live" }] });
});

test("show tells all about one twin, found by its name where that is clear", async () => {
  const { out } = await runDtaas(["twin", "show", "tank"], as("reporter"));
  expect(out).toContain("user1/tank\n");
  expect(out).toMatch(/operations +create, execute/);
  const missing = await runDtaas(["twin", "show", "tnk"], as("reporter"));
  expect([missing.code, missing.err]).toEqual([
    5,
    "error: there is no twin tnk that you may see [TWIN_NOT_FOUND]\n  hint: did you mean `tank`?\n",
  ]);
  await api.desire("user2", [desiredTwin("tank")]);
  const ambiguous = await runDtaas(["twin", "show", "tank"], as("admin"));
  expect(ambiguous.err).toContain("write one of user1/tank, user2/tank");
  expect((await runDtaas(["twin", "show", "tank", "--user", "user1"], as("admin"))).code).toBe(0);
});

test("start commits the state; a second time nothing is committed", async () => {
  const file = "dtaas/user1:digital_twins/pump/dt.yaml";
  const text =
    "apiVersion: dtaas/v1\nkind: DigitalTwin\nmetadata: { name: pump }\nspec: { state: stopped }\n";
  api.forge.files.set(file, { text, commit: revision });
  const first = await runDtaas(["twin", "start", "user1/pump"], as("developer"));
  expect(first.out).toBe("user1/pump: state: running (committed 22222222)\n");
  const second = await runDtaas(["twin", "start", "user1/pump"], as("developer"));
  expect(second.out).toBe("user1/pump: state: running (Git says so already)\n");
  const refused = await runDtaas(["twin", "start", "user1/pump"], as("reporter"));
  expect([refused.code, refused.err]).toEqual([4, expect.stringContaining("[NOT_ALLOWED]")]);
});

test("start --wait waits until the twin is live", async () => {
  const file = "dtaas/user1:digital_twins/pump/dt.yaml";
  api.forge.files.set(file, { text: "spec: { state: stopped }\n", commit: revision });
  const waiting = runDtaas(["twin", "start", "--wait", "user1/pump", "--timeout", "20"], as("developer"));
  await vi.waitFor(() => expect(api.forge.commits).toHaveLength(1), 5_000);
  await api.desire("user1", [desiredTwin("pump")], { generation: 2 });
  await api.observe("user1", [{ ...tank, name: "pump" }], { generation: 2 });
  const { code, out } = await waiting;
  expect([code, out]).toEqual([0, "user1/pump: live (committed 22222222)\n"]);
});

test("run --follow shows the log and ends with the operation's exit code", async () => {
  const running = runDtaas(["twin", "run", "user1/tank", "create", "--follow"], as("developer"));
  const run = await playRun(7, ["one", "two\u001b[31m"]);
  const { code, out, err } = await running;
  expect([code, out]).toEqual([7, "one\ntwo\n"]);
  expect(err).toContain(`${run} failed (exit code 7)`);
});

test("Ctrl-C while following says that the run goes on and how to end it", async () => {
  const interrupt = new AbortController();
  const running = runDtaas(["twin", "run", "user1/tank", "create", "--follow"], {
    ...as("developer"),
    interrupted: interrupt.signal,
  });
  await vi.waitFor(async () => expect(await requests()).toHaveLength(1), 5_000);
  const [run] = await requests();
  await vi.waitFor(async () => {
    const metrics = await (await fetch(`${api.url}/metrics`)).text();
    expect(metrics).toContain("dtaas_http_streams 1");
  }, 5_000);
  interrupt.abort();
  const { code, err } = await running;
  expect(code).toBe(130);
  expect(err).toContain(`${run} goes on; end it with: dtaas twin cancel user1/tank ${run}`);
});

test("an answer that is lost on the way is asked for again, and the operation is run once", async () => {
  let lost = 0;
  const between = createServer(async (request, response) => {
    const body = await buffer(request);
    const answer = await fetch(`${api.url}${request.url}`, {
      method: request.method ?? "GET",
      headers: request.headers as Record<string, string>,
      ...(body.length > 0 ? { body } : {}),
    });
    const text = await answer.text();
    if (request.method === "POST" && lost < 2) {
      lost += 1;
      request.socket.destroy();
      return;
    }
    response.writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "" }).end(text);
  });
  await new Promise<void>((resolve) => between.listen(0, "127.0.0.1", resolve));
  const { port } = between.address() as AddressInfo;
  try {
    const environment = { DTAAS_URL: `http://127.0.0.1:${port}`, DTAAS_TOKEN: "developer" };
    const { code, out } = await runDtaas(["twin", "run", "user1/tank", "create"], { environment });
    const [only, ...others] = await requests();
    expect([lost, code, others]).toEqual([2, 0, []]);
    expect(out).toContain(`${only} create accepted`);
  } finally {
    between.closeAllConnections();
    between.close();
  }
});

test("an operation that is not there is refused with the one that was meant", async () => {
  const { code, err } = await runDtaas(["twin", "run", "user1/tank", "exicute"], as("developer"));
  expect(code).toBe(1);
  expect(err).toContain("it has create, execute [OPERATION_UNKNOWN]\n  hint: did you mean `execute`?\n");
});

test("logs, history, rerun, cancel and outputs speak of the runs on disk", async () => {
  const own = { id, user: "user1", twin: "tank" };
  const kept = [{ path: "out/result.csv", bytes: 4 }];
  const folder = await api.writeRun(
    manifestOf(own, { requestedBy: "developer" }),
    outcomeOf({ outputs: kept }),
  );
  await mkdir(join(folder, "outputs/out"), { recursive: true });
  await writeFile(join(folder, "outputs/out/result.csv"), "1,2\n");
  await writeFile(join(folder, "log.ndjson"), ["a", "b", "c"].map(logLine).join(""));
  const logs = await runDtaas(["twin", "logs", "tank", "--tail", "2"], as("reporter"));
  expect(logs.out).toBe("b\nc\n");
  expect((await runDtaas(["twin", "logs", "tank", "-f"], as("reporter"))).out).toBe("a\nb\nc\n");
  const history = await runDtaas(["twin", "history", "tank"], as("reporter"));
  expect(history.out).toMatch(new RegExp(`^${id} +create +request +succeeded +0 .* 1.0s +developer$`, "m"));
  const again = await runDtaas(["twin", "rerun", "tank", id, "--json"], as("developer"));
  expect(JSON.parse(again.out)).toMatchObject({ operation: "create" });
  const cancel = await runDtaas(["twin", "cancel", "tank", JSON.parse(again.out).id], as("developer"));
  expect(cancel.out).toContain("is being cancelled");
  const ended = await runDtaas(["twin", "cancel", "tank", id], as("developer"));
  expect([ended.code, ended.err]).toEqual([1, expect.stringContaining("[RUN_ENDED]")]);
  expect((await runDtaas(["twin", "outputs", "tank", id], as("reporter"))).out).toContain("out/result.csv");
  expect((await runDtaas(["twin", "outputs", "tank", id, "out/result.csv"], as("reporter"))).out).toBe(
    "1,2\n",
  );
});

test("a delivery is shown with its outcome and the twins it concerns", async () => {
  api.deliveries.push({
    id: "d1",
    acceptedAt: "2026-01-01T00:00:00Z",
    event: "push",
    project: "dtaas/user1",
    outcome: "applied",
    reason: "2 twins",
    finishedAt: null,
    revision,
    generation: 4,
  });
  const { out } = await runDtaas(["delivery", "d1"], as("reporter"));
  expect(out).toMatch(/^d1 .* push +dtaas\/user1 +applied +11111111 +4 +2 twins$/m);
  expect(out).toMatch(/^user1\/tank +live/m);
  expect((await runDtaas(["delivery", "list"], as("reporter"))).out).toContain("d1");
  expect((await runDtaas(["delivery", "d2"], as("admin"))).code).toBe(5);
});

test("without an environment the settings of a platform on this machine count, as its administrator or as anybody", async () => {
  const folder = await mkdtemp(join(tmpdir(), "cli-"));
  const users = { root: { token: "admin" }, user1: { token: "reporter" } };
  await writeJsonAtomic(join(folder, ".dtaas/cli.json"), {
    url: api.url,
    forgeUrl: "http://127.0.0.1:1",
    users,
  });
  const list = await runDtaas(["twin", "list", "--json"], { folder });
  expect(JSON.parse(list.out).items).toHaveLength(2);
  expect((await runDtaas(["twin", "show", "tank", "--as", "user1"], { folder })).code).toBe(0);
  const unknown = await runDtaas(["twin", "list", "--as", "user9"], { folder });
  expect(unknown.err).toContain("[IDENTITY_UNKNOWN]");
  const elsewhere = await runDtaas(["twin", "list"], {
    folder,
    environment: { DTAAS_URL: "http://127.0.0.1:9" },
  });
  expect([elsewhere.code, elsewhere.err]).toEqual([3, expect.stringContaining("DTAAS_TOKEN is not set")]);
});

test("errors are said with code and hint, and as JSON where JSON was asked for", async () => {
  const bad = await runDtaas(["twin", "list"], as("no-such-token"));
  expect([bad.code, bad.out]).toEqual([4, ""]);
  expect(bad.err).toMatch(/^error: the Git host does not know this token.* \[TOKEN_REFUSED\]\n {2}hint: /);
  const json = await runDtaas(["twin", "list", "--json"], as("no-such-token"));
  expect(JSON.parse(json.out)).toMatchObject({ error: { code: "TOKEN_REFUSED", exitCode: 4 } });
  const away = await runDtaas(["twin", "list"], {
    environment: { DTAAS_URL: "http://127.0.0.1:9", DTAAS_TOKEN: "x" },
  });
  expect([away.code, away.err]).toEqual([3, expect.stringContaining("[API_UNREACHABLE]")]);
  const nowhere = await runDtaas(["twin", "list"], { folder: await mkdtemp(join(tmpdir(), "cli-")) });
  expect([nowhere.code, nowhere.err]).toEqual([3, expect.stringContaining("npm start")]);
});

test("wrong usage is exit code 2 with a word on what was meant; help is exit code 0", async () => {
  const wrong = await runDtaas(["twin", "lst"]);
  expect([wrong.code, wrong.err]).toEqual([2, expect.stringContaining("Did you mean list?")]);
  expect((await runDtaas(["twin", "run", "tank"])).code).toBe(2);
  expect((await runDtaas(["twin", "logs", "tank", "--tail", "many"])).code).toBe(2);
  const help = await runDtaas(["twin", "--help"]);
  expect([help.code, help.out]).toEqual([0, expect.stringContaining("history")]);
});

async function requests(): Promise<string[]> {
  const names = await readdir(join(api.data.requests, "user1")).catch(() => []);
  return names.filter((name) => name.endsWith(".json")).map((name) => name.replace(".json", ""));
}

function logLine(text: string): string {
  return `${JSON.stringify({ at: "2026-01-01T00:00:00Z", stream: "out", text })}\n`;
}

/** What the runner would do with the one request that waits. */
async function playRun(exitCode: number, lines: string[]): Promise<string> {
  await vi.waitFor(async () => expect(await requests()).toHaveLength(1), 5_000);
  const [run = ""] = await requests();
  const request = JSON.parse(await readFile(join(api.data.requests, "user1", `${run}.json`), "utf8"));
  const manifest = manifestOf({ id: run, user: "user1", twin: request.twin });
  await api.writeRun(manifest);
  const log = join(runFolder(api.data, "user1", request.twin, run), "log.ndjson");
  for (const line of lines) await appendFile(log, logLine(line));
  await api.writeRun(manifest, outcomeOf({ outcome: exitCode === 0 ? "succeeded" : "failed", exitCode }));
  return run;
}
