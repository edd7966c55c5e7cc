import { Webhook } from "standardwebhooks";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Headers, verifyDelivery, verifyHeaders } from "./verify-delivery.ts";

const secret = {
  token: "right-token",
  signingToken: "whsec_dGVzdHRlc3R0ZXN0dGVzdHRlc3R0ZXN0dGVzdHRlc3Q=",
};
// GitLab's own test vector.
const body = Buffer.from('{"object_kind":"push"}');
const signed: Headers = {
  "webhook-id": "f5e5f430-f57b-4e6e-9fac-d9128cd7232f",
  "webhook-timestamp": "1700000000",
  "webhook-signature": "v1,68n7sQVzNQF7jew9KS2HTT9NVpOYy2A5oNqzWGa8QlM=",
};
const refused = expect.objectContaining({ code: "DELIVERY_REFUSED" });

beforeEach(() => vi.useFakeTimers({ now: 1_700_000_000_000 }));
afterEach(() => vi.useRealTimers());

test("a right signature is accepted, also as one of several while keys are changed", () => {
  verifyDelivery(signed, body, secret);
  const other = new Webhook(`whsec_${Buffer.alloc(32, 9).toString("base64")}`);
  const wrong = other.sign(String(signed["webhook-id"]), new Date(1_700_000_000_000), body);
  const both = `${wrong} ${String(signed["webhook-signature"])}`;
  verifyDelivery({ ...signed, "webhook-signature": both }, body, secret);
});

test("a right token is accepted where nothing is signed", () => {
  verifyDelivery({ "x-gitlab-token": "right-token" }, body, secret);
});

test.each<[string, Headers]>([
  ["no proof at all", {}],
  ["a wrong token", { "x-gitlab-token": "wrong-token" }],
  ["an empty token", { "x-gitlab-token": "" }],
  ["the beginning of the token", { "x-gitlab-token": "right" }],
  ["a token that is there twice", { "x-gitlab-token": ["right-token", "right-token"] }],
  [
    "a changed signature",
    { ...signed, "webhook-signature": "v1,AAn7sQVzNQF7jew9KS2HTT9NVpOYy2A5oNqzWGa8QlM=" },
  ],
  ["an empty signature", { ...signed, "webhook-signature": "" }],
  ["a signature of another scheme only", { ...signed, "webhook-signature": "v2,whatever v1a,whatever" }],
  ["another id than the signed one", { ...signed, "webhook-id": "00000000-f57b-4e6e-9fac-d9128cd7232f" }],
  ["no id", { ...signed, "webhook-id": undefined }],
  ["no time stamp", { ...signed, "webhook-timestamp": undefined }],
  ["a time stamp that is no number", { ...signed, "webhook-timestamp": "now" }],
  [
    "a wrong signature beside a right token",
    { ...signed, "webhook-signature": "v1,wrong", "x-gitlab-token": "right-token" },
  ],
  [
    "an old signature beside a right token",
    { ...signed, "webhook-timestamp": "1600000000", "x-gitlab-token": "right-token" },
  ],
])("%s is refused", (_title, headers) => {
  expect(() => verifyDelivery(headers, body, secret)).toThrowError(refused);
});

test("a single changed byte of the body makes the signature wrong", () => {
  expect(() => verifyDelivery(signed, Buffer.from('{"object_kind":"push" }'), secret)).toThrowError(refused);
});

test("a signed delivery is good for five minutes in either direction and no longer", () => {
  for (const seconds of [-299, 299]) {
    vi.setSystemTime(1_700_000_000_000 + seconds * 1_000);
    verifyDelivery(signed, body, secret);
  }
  for (const seconds of [-302, 302]) {
    vi.setSystemTime(1_700_000_000_000 + seconds * 1_000);
    expect(() => verifyDelivery(signed, body, secret)).toThrowError(refused);
  }
});

test("the signature of another project's key is refused", () => {
  const other = { token: "other", signingToken: `whsec_${Buffer.alloc(32, 9).toString("base64")}` };
  expect(() => verifyDelivery(signed, body, other)).toThrowError(refused);
});

test("nothing is accepted while no secret is configured", () => {
  const notConfigured = expect.objectContaining({ code: "WEBHOOKS_NOT_CONFIGURED" });
  expect(() => verifyDelivery(signed, body, undefined)).toThrowError(notConfigured);
  expect(() => verifyHeaders({ "x-gitlab-token": "" }, undefined)).toThrowError(notConfigured);
});

test("the refusal tells neither the wanted token nor the wanted signature", () => {
  const error = (() => {
    try {
      verifyDelivery({ "x-gitlab-token": "wrong-token" }, body, secret);
    } catch (thrown) {
      return thrown;
    }
    return undefined;
  })();
  expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain("right-token");
});
