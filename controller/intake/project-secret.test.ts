import { expect, test } from "vitest";
import { projectSecret } from "./project-secret.ts";

const master = "0123456789abcdef0123456789abcdef";

test("every project has secrets of its own that stay the same from start to start", () => {
  const one = projectSecret(master, 1);
  expect(projectSecret(master, 1)).toEqual(one);
  expect(projectSecret(master, 2).token).not.toBe(one.token);
  expect(projectSecret(master, 2).signingToken).not.toBe(one.signingToken);
  expect(projectSecret(`${master}x`, 1).token).not.toBe(one.token);
});

test("the signing token has the form that GitLab takes: whsec_ and 32 bytes", () => {
  const { signingToken, token } = projectSecret(master, 7);
  expect(signingToken).toMatch(/^whsec_[A-Za-z0-9+/]{43}=$/);
  expect(Buffer.from(signingToken.slice(6), "base64")).toHaveLength(32);
  expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/);
});

test("a master secret that can be guessed is refused", () => {
  expect(() => projectSecret("short", 1)).toThrowError(
    expect.objectContaining({ code: "WEBHOOK_SECRET_TOO_SHORT" }),
  );
});
