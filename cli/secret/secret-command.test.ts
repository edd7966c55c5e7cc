import { PassThrough, Readable } from "node:stream";
import { afterEach, beforeEach, expect, test } from "vitest";
import { newPrivateKey, publicKeyOf, unseal } from "#core/age";
import { checkSecretEnvelope } from "#schemas/documents/check-documents";
import { type ApiFixture, startApi } from "../../test/fixtures/api-fixture.ts";
import { runDtaas } from "../../test/fixtures/run-dtaas.ts";
import { readSecret } from "./read-secret.ts";

let api: ApiFixture;
let privateKey: string;
const as = (who: string, input = "") => ({
  environment: { DTAAS_URL: api.url, DTAAS_TOKEN: who, DTAAS_USER: "user1" },
  input,
});

beforeEach(async () => {
  privateKey = await newPrivateKey();
  api = await startApi((deps) => deps, { publicKey: await publicKeyOf(privateKey) });
  api.looks.set("user1", { declared: [{ twin: "tank", name: "TOKEN" }], problems: new Map(), files: [] });
});
afterEach(async () => await api.close());

test("set, rotate, list and delete say what was done and which twins it concerns", async () => {
  const set = await runDtaas(["secret", "set", "TOKEN"], as("maintainer", "first value"));
  expect([set.code, set.out]).toEqual([0, "TOKEN of user1: created for tank; what runs starts again\n"]);
  const rotate = await runDtaas(["secret", "rotate", "TOKEN"], as("maintainer", "second value"));
  expect(rotate.out).toBe("TOKEN of user1: replaced for tank; what runs starts again\n");
  expect(api.forge.held[0]?.value).toBe("second value");
  const list = await runDtaas(["secret", "list"], as("maintainer"));
  expect(list.out).toMatch(/^NAME +FROM +FOR +USED BY +REMARK\nTOKEN +dtaas\/user1 +\* +tank\n$/);
  const remove = await runDtaas(["secret", "delete", "TOKEN"], as("maintainer"));
  expect(remove.out).toBe("TOKEN of user1: deleted; tank cannot be started again without it\n");
  expect((await runDtaas(["secret", "list"], as("maintainer"))).out).toBe("no secrets\n");
});

test("a secret for one twin, and one that is short, are said to be so", async () => {
  const { out } = await runDtaas(["secret", "set", "PIN", "--twin", "pump"], as("maintainer", "1234"));
  expect(out).toBe(
    "PIN of user1 for dtaas/pump: created; no twin uses it yet\nNote: it has fewer than 8 characters, too few to take it out of logs everywhere.\n",
  );
});

test("rotating what is not there makes nothing", async () => {
  const { code, err } = await runDtaas(["secret", "rotate", "TOKEN"], as("maintainer", "x"));
  expect([code, err]).toEqual([5, expect.stringContaining("[SECRET_NOT_FOUND]")]);
});

test("who is no maintainer may not, and nothing is asked of them that is not needed", async () => {
  const { code, err } = await runDtaas(["secret", "set", "TOKEN"], as("developer", "x"));
  expect([code, err]).toEqual([
    4,
    expect.stringContaining("developer may not manage secrets in dtaas/user1"),
  ]);
});

test("a value cannot be given as an argument, and a name that is none is refused before anything is read", async () => {
  expect((await runDtaas(["secret", "set", "TOKEN", "hunter2"], as("maintainer"))).code).toBe(2);
  expect((await runDtaas(["secret", "set", "1TOKEN"], as("maintainer"))).code).toBe(2);
});

test("seal prints an age file for the runner, for this project and this name", async () => {
  const before = Date.now();
  const { out } = await runDtaas(["secret", "seal", "TOKEN", "--expires", "30d"], as("reporter", "a value"));
  const opened = await unseal([privateKey], out);
  if (opened.kind !== "opened") throw new Error(opened.kind);
  const envelope = checkSecretEnvelope(JSON.parse(Buffer.from(opened.plain).toString()));
  expect(envelope).toMatchObject({ project: "dtaas/user1", twin: null, name: "TOKEN", kind: "variable" });
  expect(Buffer.from(envelope.value, "base64").toString()).toBe("a value");
  expect(Date.parse(envelope.expiresAt) - before).toBeGreaterThanOrEqual(30 * 24 * 3_600_000);
  const forOne = await runDtaas(["secret", "seal", "TOKEN", "--twin", "tank", "--json"], as("reporter", "x"));
  expect(JSON.parse(forOne.out)).toMatchObject({ name: "TOKEN", twin: "tank" });
});

const silent = new PassThrough();
const read = (input: Parameters<typeof readSecret>[0], maxBytes = 100) =>
  readSecret(input, silent, { question: "Value", maxBytes }).then((value) => value.toString());

test("what is piped in counts as it stands; the line end of a single line does not", async () => {
  const piped = (...chunks: string[]) => read(Readable.from(chunks.map((chunk) => Buffer.from(chunk))));
  expect(await piped("a va", "lue\n")).toBe("a value");
  expect(await piped("a value\r\n")).toBe("a value");
  expect(await piped(" a value ")).toBe(" a value ");
  expect(await piped("line one\nline two\n")).toBe("line one\nline two\n");
  await expect(piped("")).rejects.toMatchObject({ code: "USAGE" });
  await expect(piped("\n")).rejects.toMatchObject({ code: "USAGE" });
  await expect(read(Readable.from([Buffer.alloc(200, "x")]))).rejects.toMatchObject({ code: "USAGE" });
});

test("what is typed at a terminal is not shown; corrections count, and Ctrl-C gives nothing", async () => {
  const typed = async (text: string) => {
    const modes: boolean[] = [];
    const input = Object.assign(Readable.from([Buffer.from(text)]), {
      isTTY: true as const,
      setRawMode: (mode: boolean) => modes.push(mode),
    });
    const output = new PassThrough();
    const value = await readSecret(input as never, output, {
      question: "Value of TOKEN",
      maxBytes: 100,
    }).then(
      (found) => found.toString(),
      (error: { code: string }) => error.code,
    );
    return [value, modes, output.read()?.toString()];
  };
  expect(await typed("secreT\u007ft\r")).toEqual(["secret", [true, false], "Value of TOKEN: \n"]);
  expect(await typed("sec\u0003")).toEqual(["USAGE", [true, false], "Value of TOKEN: \n"]);
});
