import { mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { newPrivateKey, publicKeyOf, seal } from "#core/age";
import { writeJsonAtomic } from "#core/atomic-file";
import { type DataFolder, dataFolder, runFolder, sealedPath } from "#core/data-folder";
import { newRunId } from "#core/run-id";
import type { SealedSecrets, SecretEnvelope } from "#schemas/sealed-secrets";
import { desiredTwin, manifestOf, spec } from "../../test/fixtures/api-fixture.ts";
import { RunSecrets } from "./run-secrets.ts";
import { SecretFolders } from "./secret-folders.ts";

let data: DataFolder;
let root: string;
let privateKey: string;
let secrets: RunSecrets;
const runId = newRunId();

const open = (readers: "container" | "account" = "container") =>
  new RunSecrets(data, new SecretFolders({ root, readers }), [privateKey]);

beforeEach(async () => {
  data = dataFolder(await mkdtemp(join(tmpdir(), "run-secrets-")));
  root = join(await mkdtemp("/dev/shm/dtaas-test-"), "secrets");
  privateKey = await newPrivateKey();
  secrets = open();
  await place({ TOKEN: "token of the tank\n", CERT: "-----BEGIN-----\nline one\n-----END-----" });
});
afterEach(async () => {
  await rm(join(root, ".."), { recursive: true, force: true });
});

/** What the controller would have sealed. */
async function place(values: Record<string, string>, more: Partial<SecretEnvelope> = {}): Promise<void> {
  const publicKey = await publicKeyOf(privateKey);
  const sealed = Object.entries(values).map(async ([name, value]) => {
    const envelope: SecretEnvelope = {
      version: 1,
      project: "dtaas/user1",
      twin: "tank",
      name,
      expiresAt: new Date(Date.now() + 3_600_000).toISOString(),
      kind: name === "CERT" ? "file" : "variable",
      value: Buffer.from(value).toString("base64"),
      ...more,
    };
    const sealedText = await seal(publicKey, Buffer.from(JSON.stringify(envelope)));
    return { name, origin: "variable" as const, version: "ab".repeat(20), sealedText };
  });
  const document: SealedSecrets = {
    version: 1,
    user: "user1",
    project: "dtaas/user1",
    twin: "tank",
    secrets: await Promise.all(sealed),
  };
  await writeJsonAtomic(sealedPath(data, "user1", "tank"), document);
}

const wanted = (...names: string[]) => ({
  user: "user1",
  twin: "tank",
  runId,
  project: "dtaas/user1",
  secrets: names.map((name) => ({ name: name.replace("!", ""), env: name.endsWith("!") })),
});

test("a run finds each secret as a file in memory that nobody outside can reach", async () => {
  const { mounts, environment, environmentFiles } = await secrets.give(wanted("TOKEN", "CERT"));
  expect(mounts).toEqual([{ source: join(root, runId, "values"), target: "/run/secrets" }]);
  expect(environment).toEqual({ DT_SECRETS: "/run/secrets" });
  expect(environmentFiles).toEqual([]);
  const source = mounts[0]?.source ?? "";
  expect((await readdir(source)).sort()).toEqual(["CERT", "TOKEN"]);
  expect(await readFile(join(source, "TOKEN"), "utf8")).toBe("token of the tank\n");
  const mode = async (path: string) => (await stat(path)).mode & 0o777;
  expect(await mode(root)).toBe(0o700); // the door
  expect(await mode(source)).toBe(0o755); // behind it uid 1000 of a container may read, whoever that is here
  expect(await mode(join(source, "TOKEN"))).toBe(0o444);
});

test("for processes of this account the files are the account's alone", async () => {
  const { mounts } = await open("account").give(wanted("TOKEN"));
  expect((await stat(join(mounts[0]?.source ?? "", "TOKEN"))).mode & 0o777).toBe(0o600);
});

test("where it is asked for a value is an environment variable, of a file its path; the value is not handed on", async () => {
  const given = await secrets.give(wanted("TOKEN!", "CERT!"));
  expect(given.environment).toEqual({ DT_SECRETS: "/run/secrets", CERT: "/run/secrets/CERT" });
  expect(given.environmentFiles).toEqual(["TOKEN"]);
  expect(JSON.stringify(given)).not.toContain("token of the tank");
});

test("giving twice gives the same; a new value in between is the one that counts", async () => {
  const first = await secrets.give(wanted("TOKEN"));
  await place({ TOKEN: "another" });
  expect(await secrets.give(wanted("TOKEN"))).toEqual(first);
  expect(await readFile(join(first.mounts[0]?.source ?? "", "TOKEN"), "utf8")).toBe("another");
});

test("a run without secrets is given nothing, and nothing is made for it", async () => {
  expect(await secrets.give(wanted())).toEqual({ mounts: [], environment: {}, environmentFiles: [] });
  await expect(stat(root)).rejects.toMatchObject({ code: "ENOENT" });
});

test("what ends an execution is given the values of that execution, though they are deleted by then", async () => {
  await secrets.give(wanted("TOKEN!"));
  await rm(sealedPath(data, "user1", "tank"));
  const ending = newRunId();
  const given = await secrets.give({ ...wanted("TOKEN!"), runId: ending, joins: runId });
  expect(await readFile(join(root, ending, "values", "TOKEN"), "utf8")).toBe("token of the tank\n");
  expect(given.environmentFiles).toEqual(["TOKEN"]);
  await expect(secrets.give(wanted("TOKEN"))).rejects.toMatchObject({ code: "SECRET_NOT_THERE" });
});

test("why a source cannot be started is known before anything is stopped, and anew when the document changes", async () => {
  const source = desiredTwin("tank", { spec: { ...spec, secrets: [{ name: "TOKEN", env: true }] } });
  expect(await secrets.problem("user1", desiredTwin("tank"))).toBeUndefined();
  expect(await secrets.problem("user1", source)).toBeUndefined();
  await place({ TOKEN: "x" }, { twin: "pump" });
  expect(await secrets.problem("user1", source)).toContain("is for another place");
  await place({ TOKEN: "x" }, { expiresAt: "2026-01-01T00:00:00.000Z" });
  expect(await secrets.problem("user1", source)).toContain("has run out on 2026-01-01");
  await place({ TOKEN: "a\0b" });
  expect(await secrets.problem("user1", source)).toContain("holds a NUL");
  await place({ OTHER: "x" });
  expect(await secrets.problem("user1", source)).toBe(
    "the secret TOKEN has been deleted (set it again: dtaas secret set TOKEN)",
  );
  await writeFile(sealedPath(data, "user1", "tank"), "{");
  expect(await secrets.problem("user1", source)).toContain("are damaged");
  await place({ TOKEN: "fine again" });
  expect(await secrets.problem("user1", source)).toBeUndefined();
});

test("a verdict does not outlive the secret it is about", async () => {
  const source = desiredTwin("tank", { spec: { ...spec, secrets: [{ name: "TOKEN", env: false }] } });
  await place({ TOKEN: "x" }, { expiresAt: new Date(Date.now() + 300).toISOString() });
  expect(await secrets.problem("user1", source)).toBeUndefined();
  await expect.poll(() => secrets.problem("user1", source), { timeout: 5_000 }).toContain("has run out");
});

test("a log is freed of the values its run was given, also by a runner that was started since", async () => {
  await secrets.give(wanted("TOKEN", "CERT"));
  const folder = runFolder(data, "user1", "tank", runId);
  await place({ TOKEN: "another" }); // rotated meanwhile: the run has the old one
  const redact = await open().redactorOf(runId, folder);
  expect(redact("login token of the tank, -----BEGIN-----")).toBe(
    "login [redacted secret], [redacted secret]",
  );
  expect(redact("glpat-abcdefghij0123456789")).toBe("[redacted token]");
});

test("after a restart of the machine nothing is in memory, and today's values are taken out", async () => {
  const folder = runFolder(data, "user1", "tank", runId);
  const manifest = manifestOf(
    { id: runId, user: "user1", twin: "tank" },
    { secrets: wanted("TOKEN", "GONE").secrets },
  );
  await writeJsonAtomic(join(folder, "manifest.json"), manifest);
  const redact = await secrets.redactorOf(runId, folder);
  expect(redact("token of the tank")).toBe("[redacted secret]");
});

test("what a run was given goes with it; what a crash left behind goes later", async () => {
  await secrets.give(wanted("TOKEN"));
  const left = newRunId();
  await secrets.give({ ...wanted("TOKEN"), runId: left });
  await secrets.takeBack(runId);
  expect(await readdir(root)).toEqual([left]);
  await secrets.sweep(new Set());
  expect(await readdir(root)).toEqual([left]); // its container may be about to be made
  await utimes(join(root, left), new Date(0), new Date(0));
  await secrets.sweep(new Set([left]));
  expect(await readdir(root)).toEqual([left]);
  await secrets.sweep(new Set());
  expect(await readdir(root)).toEqual([]);
});

test("when everything has ended nothing is left, and a run with an odd name is nobody's", async () => {
  await secrets.give(wanted("TOKEN"));
  await secrets.takeBack("../../etc");
  expect((await secrets.redactorOf("../../etc", data.root))("token of the tank")).toBe("token of the tank");
  await secrets.clear();
  await expect(stat(root)).rejects.toMatchObject({ code: "ENOENT" });
  await secrets.clear();
});

test("a folder on a disk, of others, or behind a link is refused", async () => {
  const refused = { code: "SECRETS_FOLDER_UNFIT" };
  const kept = root;
  root = join(data.root, "on-disk");
  await expect(open().give(wanted("TOKEN"))).rejects.toMatchObject(refused);
  root = "/dev/shm"; // everybody's
  await expect(open().give(wanted("TOKEN"))).rejects.toMatchObject(refused);
  root = join(kept, "..", "link");
  await symlink("/dev/shm", root);
  await expect(open().give(wanted("TOKEN"))).rejects.toMatchObject(refused);
  root = kept;
});
