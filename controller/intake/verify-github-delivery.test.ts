import { createHmac } from "node:crypto";
import { expect, test } from "vitest";
import { verifyGitHubDelivery, verifyGitHubHeaders } from "./verify-github-delivery.ts";

// The example of GitHub's documentation, "Validating webhook deliveries".
const secret = { token: "another", signingToken: "It's a Secret to Everybody" };
const body = Buffer.from("Hello, World!");
const signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
const refused = expect.objectContaining({ code: "DELIVERY_REFUSED" });

test("bytes that GitHub signed with the secret are taken", () => {
  verifyGitHubHeaders({ "x-hub-signature-256": signature }, secret);
  verifyGitHubDelivery({ "x-hub-signature-256": signature }, body, secret);
});

test.each([
  ["no signature", {}],
  ["an empty one", { "x-hub-signature-256": "" }],
  [
    "the older one only",
    { "x-hub-signature": `sha1=${createHmac("sha1", secret.signingToken).update(body).digest("hex")}` },
  ],
  ["one without its kind", { "x-hub-signature-256": signature.slice(7) }],
  ["half of one", { "x-hub-signature-256": signature.slice(0, 40) }],
  ["two of them", { "x-hub-signature-256": [signature, signature] }],
  ["GitLab's token instead", { "x-gitlab-token": secret.signingToken }],
])("%s is refused before the body is read", (_title, headers) => {
  expect(() => verifyGitHubHeaders(headers, secret)).toThrowError(refused);
  expect(() => verifyGitHubDelivery(headers, body, secret)).toThrowError(refused);
});

test("other bytes, another secret and a signature of the other secret are refused", () => {
  const headers = { "x-hub-signature-256": signature };
  expect(() => verifyGitHubDelivery(headers, Buffer.from("Hello, World"), secret)).toThrowError(refused);
  expect(() => verifyGitHubDelivery(headers, body, { ...secret, signingToken: "x" })).toThrowError(refused);
  const byToken = {
    "x-hub-signature-256": `sha256=${createHmac("sha256", secret.token).update(body).digest("hex")}`,
  };
  expect(() => verifyGitHubDelivery(byToken, body, secret)).toThrowError(refused);
});

test("without a configured secret nothing is taken", () => {
  const notConfigured = expect.objectContaining({ code: "WEBHOOKS_NOT_CONFIGURED" });
  expect(() => verifyGitHubHeaders({ "x-hub-signature-256": signature }, undefined)).toThrowError(
    notConfigured,
  );
});
