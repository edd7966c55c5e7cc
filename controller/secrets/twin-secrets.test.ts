import { mkdtemp, readdir, readFile, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, expect, test } from "vitest";
import { newPrivateKey, publicKeyOf, seal, unseal } from "#core/age";
import { type DataFolder, dataFolder, sealedPath } from "#core/data-folder";
import { ActionNeededError } from "#core/errors";
import type { DesiredState, DesiredTwin } from "#schemas/desired-state";
import { checkSealedSecrets } from "#schemas/documents/check-documents";
import type { SecretEnvelope } from "#schemas/sealed-secrets";
import type { SecretReference } from "#schemas/twin-spec";
import { desiredTwin, spec } from "../../test/fixtures/api-fixture.ts";
import type { Forge, ForgeVariable } from "../forge/forge.ts";
import { SealedStore } from "./sealed-store.ts";
import { TwinSecrets } from "./twin-secrets.ts";

const day = 24 * 3_600_000;
const start = Date.parse("2026-01-01T00:00:00Z");
const project = { id: 2, path: "dtaas/user1", defaultBranch: "main", webUrl: "" };
const value = "a value that nobody may find";

let data: DataFolder;
let privateKey: string;
let publicKey: string;
let nowMs: number;
let held: ForgeVariable[] | "forbidden";
let files: Map<string, Uint8Array>;
let secrets: TwinSecrets;

const token: ForgeVariable = {
  key: "TOKEN",
  value,
  kind: "variable",
  protected: false,
  masked: true,
  scope: "*",
  of: "dtaas/user1",
};
const forge = {
  variables: {
    list: async () => {
      if (held === "forbidden") throw new ActionNeededError("FORGE_FORBIDDEN", "no");
      return { variables: held, unreadable: [], defaultBranchIsProtected: false };
    },
  },
} as unknown as Pick<Forge, "variables">;

async function open(key: string | undefined = publicKey): Promise<TwinSecrets> {
  const store = await SealedStore.open(data);
  return new TwinSecrets({ forge, store, publicKey: key, versionKey: "v".repeat(32), nowMs: () => nowMs });
}

beforeEach(async () => {
  data = dataFolder(await mkdtemp(join(tmpdir(), "secrets-")));
  privateKey = await newPrivateKey();
  publicKey = await publicKeyOf(privateKey);
  nowMs = start;
  held = [token];
  files = new Map();
  secrets = await open();
});

function twin(
  name: string,
  names: (string | SecretReference)[],
  more: Partial<DesiredTwin> = {},
): DesiredTwin {
  const references = names.map((each) => (typeof each === "string" ? { name: each, env: false } : each));
  return desiredTwin(name, {
    spec: references.length === 0 ? spec : { ...spec, secrets: references },
    ...more,
  });
}

/** One look at the user: the twins as they are desired then, and what is wrong with each. */
async function look(...twins: DesiredTwin[]) {
  const tree = {
    entry: (path: string) => {
      const bytes = files.get(path);
      return bytes && { kind: "file" as const, executable: false, id: "ab".repeat(20), bytes: bytes.length };
    },
    read: async (path: string) => files.get(path),
  };
  const sources = await secrets.read("user1", project, tree, twins);
  const seen = twins.map(({ name, metadata, derived, state, suspend, spec: given }) => ({
    name,
    document: { metadata, derived, state, suspend, spec: given },
    file: `digital_twins/${name}/dt.yaml`,
    diagnostics: [],
    locate: (pointer: string) => ({ line: 5, column: 13 + Number(pointer.split("/").at(-1)) }),
  }));
  secrets.check("user1", seen, sources);
  const sealed = await secrets.seal("user1", project.path, twins, sources);
  return {
    ...sealed,
    diagnostics: seen.flatMap(({ diagnostics }) => diagnostics) as { code: string; column: number }[],
  };
}

async function stored(name = "tank") {
  const path = sealedPath(data, "user1", name);
  return checkSealedSecrets(JSON.parse(await readFile(path, "utf8")));
}

async function envelope(name = "tank", index = 0): Promise<SecretEnvelope> {
  const opened = await unseal([privateKey], (await stored(name)).secrets[index]?.sealedText ?? "");
  if (opened.kind !== "opened") throw new Error(opened.kind);
  return JSON.parse(Buffer.from(opened.plain).toString("utf8"));
}

test("a value is sealed to the runner, for one twin and a week, and is found nowhere else on disk", async () => {
  const { twins, diagnostics } = await look(twin("tank", ["TOKEN"]), twin("pump", []));
  expect(diagnostics).toEqual([]);
  expect(twins.map(({ secretsVersion }) => secretsVersion?.length)).toEqual([64, undefined]);
  expect(await envelope()).toEqual({
    version: 1,
    project: "dtaas/user1",
    twin: "tank",
    name: "TOKEN",
    expiresAt: "2026-01-08T00:00:00.000Z",
    kind: "variable",
    value: Buffer.from(value).toString("base64"),
  });
  const text = await readFile(sealedPath(data, "user1", "tank"), "utf8");
  expect(text).not.toContain(value);
  expect(text).not.toContain(Buffer.from(value).toString("base64").slice(0, 20));
  expect((await stat(sealedPath(data, "user1", "tank"))).mode & 0o007).toBe(0);
  expect(await readdir(join(data.sealed, "user1"))).toEqual(["tank.json"]);
});

test("an unchanged value keeps its version and its sealing; a new one changes both, for its twins alone", async () => {
  const first = await look(twin("tank", ["TOKEN"]), twin("pump", ["OTHER"]));
  const sealed = await stored();
  secrets = await open(); // a new process
  const second = await look(...first.twins);
  expect(second.twins).toEqual(first.twins);
  expect(second.isNew).toBe(false);
  expect(await stored()).toEqual(sealed);
  held = [
    { ...token, value: "another" },
    { ...token, key: "OTHER" },
  ];
  const third = await look(...second.twins);
  expect(third.twins[0]?.secretsVersion).not.toBe(first.twins[0]?.secretsVersion);
  expect((await envelope()).value).toBe(Buffer.from("another").toString("base64"));
});

test("equal values of two twins cannot be seen to be equal", async () => {
  const { twins } = await look(twin("tank", ["TOKEN"]), twin("pump", ["TOKEN"]));
  expect(twins[0]?.secretsVersion).not.toBe(twins[1]?.secretsVersion);
});

test("it is sealed anew once a day and for a new key, without another version", async () => {
  const first = await look(twin("tank", ["TOKEN"]));
  const document = { user: "user1", twins: first.twins, refused: [] } as unknown as DesiredState;
  expect(await secrets.isBehind(project, document)).toBe(false);
  nowMs = start + 1.5 * day;
  expect(await secrets.isBehind(project, document)).toBe(true);
  const second = await look(...first.twins);
  expect(second.twins).toEqual(first.twins);
  expect(second.isNew).toBe(true);
  expect((await envelope()).expiresAt).toBe("2026-01-09T12:00:00.000Z");
  privateKey = await newPrivateKey();
  secrets = await open(await publicKeyOf(privateKey));
  expect((await look(...second.twins)).twins).toEqual(first.twins);
  expect((await envelope()).twin).toBe("tank");
});

test("a value that somebody changes on the host is noticed without a push", async () => {
  const { twins } = await look(twin("tank", ["TOKEN"]));
  const document = { user: "user1", twins, refused: [] } as unknown as DesiredState;
  expect(await secrets.isBehind(project, document)).toBe(false);
  held = [{ ...token, value: "another" }];
  expect(await secrets.isBehind(project, document)).toBe(true);
  await look(...twins);
  expect(await secrets.isBehind(project, document)).toBe(false);
  const without = { user: "user1", twins: [twin("tank", [])], refused: [] } as unknown as DesiredState;
  held = "forbidden";
  expect(await secrets.isBehind(project, without)).toBe(false);
});

test("a secret without a value is told at its place; what was sealed for it is gone, and the version stays", async () => {
  const first = await look(twin("tank", ["TOKEN"]));
  held = [];
  const second = await look(...first.twins);
  expect(second.diagnostics).toMatchObject([{ code: "secret-missing", line: 5, column: 13 }]);
  expect(second.twins).toEqual(first.twins);
  expect(await readdir(join(data.sealed, "user1"))).toEqual([]);
  expect(secrets.lastLook("user1")?.problems.get("TOKEN")).toContain("has no value");
});

test("while the host does not let us read, what is sealed stays", async () => {
  const first = await look(twin("tank", ["TOKEN"]));
  held = "forbidden";
  const second = await look(...first.twins);
  expect(second.diagnostics).toMatchObject([{ code: "secret-unreadable" }]);
  expect((await envelope()).value).toBe(Buffer.from(value).toString("base64"));
});

test("a secret that is not declared any more stays sealed until it runs out, for the last good revision", async () => {
  await look(twin("tank", ["TOKEN"]));
  const { twins } = await look(twin("tank", []));
  expect(twins[0]).not.toHaveProperty("secretsVersion");
  expect((await stored()).secrets).toHaveLength(1);
  nowMs = start + 8 * day;
  await look(twin("tank", []));
  expect(await readdir(join(data.sealed, "user1"))).toEqual([]);
});

test("nothing is kept of a twin or a user that is gone", async () => {
  await look(twin("tank", ["TOKEN"]), twin("pump", ["TOKEN"]));
  await look(twin("pump", ["TOKEN"]));
  expect(await readdir(join(data.sealed, "user1"))).toEqual(["pump.json"]);
  await secrets.forget("user1");
  expect(await readdir(join(data.sealed, "user1"))).toEqual([]);
});

test("a file of the repository is handed on as it is, never opened here; anything else than an age file is an error", async () => {
  const sealedText = await seal(publicKey, Buffer.from("whatever"));
  files.set("secrets/TOKEN.age", Buffer.from(sealedText));
  const first = await look(twin("tank", ["TOKEN"]));
  expect(first.diagnostics).toEqual([]);
  expect((await stored()).secrets).toEqual([
    { name: "TOKEN", origin: "file", version: "ab".repeat(20), sealedText },
  ]);
  files.set("secrets/TOKEN.age", Buffer.from("hunter2"));
  expect((await look(twin("tank", ["TOKEN"]))).diagnostics).toMatchObject([{ code: "secret-file-broken" }]);
  expect(JSON.stringify(await stored())).not.toContain("hunter2");
});

test("without a key of the runner a declared secret is an error", async () => {
  secrets = new TwinSecrets({
    forge,
    store: await SealedStore.open(data),
    publicKey: undefined,
    versionKey: "v",
  });
  expect((await look(twin("tank", ["TOKEN"]))).diagnostics).toMatchObject([{ code: "secrets-not-set-up" }]);
});
