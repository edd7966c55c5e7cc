import { beforeAll, expect, test } from "vitest";
import { newPrivateKey, publicKeyOf, seal } from "#core/age";
import type { SealedSecret, SecretEnvelope } from "#schemas/sealed-secrets";
import { openSecret } from "./open-secret.ts";

const now = Date.parse("2026-01-01T00:00:00Z");
const value = "a value that nobody may find";
const place = { project: "dtaas/user1", twin: "tank" };
let privateKey: string;
let publicKey: string;

beforeAll(async () => {
  privateKey = await newPrivateKey();
  publicKey = await publicKeyOf(privateKey);
});

const envelope: SecretEnvelope = {
  version: 1,
  ...place,
  name: "TOKEN",
  expiresAt: "2026-01-08T00:00:00.000Z",
  kind: "variable",
  value: Buffer.from(value).toString("base64"),
};

async function sealed(
  plain: unknown = envelope,
  more: Partial<SealedSecret> & { to?: string } = {},
): Promise<SealedSecret> {
  const { to = publicKey, ...rest } = more;
  const sealedText = await seal(to, Buffer.from(JSON.stringify(plain)));
  return { name: "TOKEN", origin: "variable", version: "ab".repeat(20), sealedText, ...rest };
}

async function refusal(secret: SealedSecret, where = place, nowMs = now): Promise<string> {
  const error = await openSecret(secret, where, [privateKey], nowMs).then(
    () => undefined,
    (caught: unknown) => caught as { name: string; code: string; message: string; hint: string },
  );
  expect(error?.name).toBe("ActionNeededError");
  expect(error?.hint.length).toBeGreaterThan(10);
  expect(JSON.stringify(error) + error?.message + error?.hint).not.toContain(value);
  return error?.code ?? "opened";
}

test("a secret is opened at the place it was sealed for", async () => {
  const opened = await openSecret(await sealed(), place, [privateKey], now);
  expect(opened.value.toString()).toBe(value);
  expect(opened.kind).toBe("variable");
});

test("cipher text that was carried to another twin, user or name is refused", async () => {
  const secret = await sealed();
  expect(await refusal(secret, { ...place, twin: "pump" })).toBe("SECRET_MISPLACED");
  expect(await refusal(secret, { ...place, project: "dtaas/user2" })).toBe("SECRET_MISPLACED");
  expect(await refusal({ ...secret, name: "OTHER" })).toBe("SECRET_MISPLACED");
});

test("a refusal does not tell another user what was carried off", async () => {
  const error = await openSecret(
    await sealed(),
    { project: "dtaas/user2", twin: "tank" },
    [privateKey],
    now,
  ).catch((caught: unknown) => caught);
  expect(String(error) + JSON.stringify(error)).not.toContain("user1");
});

test("cipher text that has run out is refused, to the millisecond", async () => {
  const end = Date.parse(envelope.expiresAt);
  expect(await refusal(await sealed(), place, end)).toBe("SECRET_EXPIRED");
  await expect(openSecret(await sealed(), place, [privateKey], end - 1)).resolves.toMatchObject({
    name: "TOKEN",
  });
});

test("what the note beside the cipher text says counts for nothing", async () => {
  const late = await sealed(envelope, { expiresAt: "2099-01-01T00:00:00.000Z", recipient: publicKey });
  expect(await refusal(late, place, Date.parse("2027-01-01T00:00:00Z"))).toBe("SECRET_EXPIRED");
});

test("cipher text that was changed is refused", async () => {
  const { sealedText, ...rest } = await sealed();
  const lines = sealedText.trimEnd().split("\n");
  const last = lines.length - 2;
  const line = lines[last] ?? "";
  lines[last] = (line.startsWith("A") ? "B" : "A") + line.slice(1);
  expect(await refusal({ ...rest, sealedText: `${lines.join("\n")}\n` })).toBe("SECRET_DAMAGED");
  expect(await refusal({ ...rest, sealedText: "nonsense" })).toBe("SECRET_DAMAGED");
});

test("what is sealed to another key is told apart from what was changed", async () => {
  const other = await publicKeyOf(await newPrivateKey());
  expect(await refusal(await sealed(envelope, { to: other }))).toBe("SECRET_OTHER_KEY");
});

test("a former key still opens what was sealed to it", async () => {
  const fresh = await newPrivateKey();
  await expect(openSecret(await sealed(), place, [fresh, privateKey], now)).resolves.toMatchObject({
    name: "TOKEN",
  });
});

test("a plain text that does not say what it is for is refused: anybody could have copied it", async () => {
  for (const plain of [
    value,
    { value },
    { ...envelope, project: undefined },
    { ...envelope, extra: 1 },
    null,
    3,
  ])
    expect(await refusal(await sealed(plain, { origin: "file" }))).toBe("SECRET_UNBOUND");
});

test("a file of the repository may be for all twins of its project; what the controller seals is for one", async () => {
  const forAll = { ...envelope, twin: null };
  await expect(
    openSecret(await sealed(forAll, { origin: "file" }), { ...place, twin: "pump" }, [privateKey], now),
  ).resolves.toMatchObject({ name: "TOKEN" });
  expect(await refusal(await sealed(forAll))).toBe("SECRET_MISPLACED");
  expect(await refusal(await sealed(forAll, { origin: "file" }), { ...place, project: "dtaas/user2" })).toBe(
    "SECRET_MISPLACED",
  );
});
