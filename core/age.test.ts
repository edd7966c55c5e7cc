import { expect, test } from "vitest";
import { armoured, newPrivateKey, publicKeyOf, publicKeyPattern, seal, unseal } from "./age.ts";

const text = Buffer.from("a value\nof two lines");

test("what was sealed to a public key is opened by its private key, and looks different each time", async () => {
  const key = await newPrivateKey();
  const publicKey = await publicKeyOf(key);
  expect(publicKey).toMatch(publicKeyPattern);
  const [one, two] = [await seal(publicKey, text), await seal(publicKey, text)];
  expect(one).not.toBe(two);
  const opened = await unseal([await newPrivateKey(), key], one);
  expect(opened.kind === "opened" && Buffer.from(opened.plain)).toEqual(text);
});

test("another key, a changed byte, a cut end and nonsense are told apart", async () => {
  const key = await newPrivateKey();
  const sealed = await seal(await publicKeyOf(key), text);
  expect(await unseal([await newPrivateKey()], sealed)).toEqual({ kind: "other key" });
  expect(await unseal([], sealed)).toEqual({ kind: "other key" });
  const body = Buffer.from(sealed.replace(/-----.*-----/g, ""), "base64");
  const again = (bytes: Buffer) => armoured(bytes) ?? "";
  const changed = Buffer.from(body);
  changed[body.length - 1] = (changed[body.length - 1] ?? 0) ^ 1;
  expect(await unseal([key], again(body))).toMatchObject({ kind: "opened" });
  expect(await unseal([key], again(changed))).toEqual({ kind: "damaged" });
  expect(await unseal([key], again(body.subarray(0, -20)))).toEqual({ kind: "damaged" });
  const header = Buffer.from(body.toString("latin1").replace(/^--- ..../m, "--- AAAA"), "latin1");
  expect(await unseal([key], again(header))).toEqual({ kind: "damaged" });
  for (const nonsense of [
    "",
    "x",
    "-----BEGIN AGE ENCRYPTED FILE-----\n!\n-----END AGE ENCRYPTED FILE-----\n",
  ])
    expect(await unseal([key], nonsense)).toEqual({ kind: "damaged" });
});

test("an age file is known in both of its forms, and nothing else is taken for one", async () => {
  const sealed = await seal(await publicKeyOf(await newPrivateKey()), text);
  expect(armoured(Buffer.from(`\n${sealed}\n`))).toBe(sealed.trimEnd().concat("\n"));
  expect(armoured(Buffer.from("hunter2"))).toBeUndefined();
});
