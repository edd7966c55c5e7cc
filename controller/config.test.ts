import { expect, test } from "vitest";
import { readControllerConfig } from "./config.ts";

const needed = {
  DTAAS_DATA: "/data",
  REDIS_URL: "redis://127.0.0.1:6379",
  DTAAS_PUBLIC_URL: "https://dtaas.example",
  DTAAS_FORGE_URL: "https://git.example",
  DTAAS_FORGE_TOKEN: "glpat-0123456789",
  DTAAS_WEBHOOK_SECRET: "w".repeat(32),
};
const signIn = {
  DTAAS_OIDC_ISSUER: "https://git.example",
  DTAAS_OIDC_CLIENT_ID: "platform",
  DTAAS_OIDC_CLIENT_SECRET: "secret",
  DTAAS_SESSION_SECRET: "s".repeat(32),
};

test("people can sign in with a browser where all of it is set, and use tokens where none is", () => {
  expect(readControllerConfig(needed).signIn).toBeUndefined();
  expect(readControllerConfig({ ...needed, ...signIn }).signIn).toEqual({
    issuer: "https://git.example",
    clientId: "platform",
    clientSecret: "secret",
    sessionSecret: "s".repeat(32),
    usernameClaim: undefined,
  });
});

test.each(Object.keys(signIn))("half of the settings of sign-in are refused: without %s", (name) => {
  expect(() => readControllerConfig({ ...needed, ...signIn, [name]: "" })).toThrow(name);
});

test("at a provider other than the Git host somebody has to say which claim is the user's name there", () => {
  const elsewhere = { ...needed, ...signIn, DTAAS_OIDC_ISSUER: "https://sign-in.example" };
  expect(() => readControllerConfig(elsewhere)).toThrow("DTAAS_OIDC_USERNAME_CLAIM");
  const named = readControllerConfig({ ...elsewhere, DTAAS_OIDC_USERNAME_CLAIM: "preferred_username" });
  expect(named.signIn?.usernameClaim).toBe("preferred_username");
});

test("a short session secret is refused without being repeated", () => {
  const short = { ...needed, ...signIn, DTAAS_SESSION_SECRET: "guessable" };
  expect(() => readControllerConfig(short)).toThrow(/^(?!.*guessable).*DTAAS_SESSION_SECRET/);
});

test("GitLab is the Git host unless GitHub is named; a further one is called by its address, or as is wanted", () => {
  expect(readControllerConfig(needed)).toMatchObject({
    forge: { kind: "gitlab", url: "https://git.example", token: "glpat-0123456789" },
    furtherForge: undefined,
  });
  expect(readControllerConfig({ ...needed, DTAAS_FORGE_KIND: "github" }).forge.kind).toBe("github");
  const further = {
    DTAAS_FURTHER_FORGE_URL: "https://github.com",
    DTAAS_FURTHER_FORGE_TOKEN: "ghp_0123456789",
  };
  expect(readControllerConfig({ ...needed, ...further }).furtherForge).toEqual({
    ...{ kind: "github", url: "https://github.com", token: "ghp_0123456789", name: "github.com" },
  });
  const named = {
    ...needed,
    ...further,
    DTAAS_FURTHER_FORGE_NAME: "shared",
    DTAAS_FURTHER_FORGE_KIND: "gitlab",
  };
  expect(readControllerConfig(named).furtherForge).toMatchObject({ kind: "gitlab", name: "shared" });
});

test.each([
  ["DTAAS_FURTHER_FORGE_URL", { DTAAS_FURTHER_FORGE_TOKEN: "ghp_0123456789" }],
  ["DTAAS_FURTHER_FORGE_TOKEN", { DTAAS_FURTHER_FORGE_URL: "https://github.com" }],
  ["DTAAS_FURTHER_FORGE_NAME", { DTAAS_FURTHER_FORGE_NAME: "a/b" }],
  ["DTAAS_FORGE_KIND", { DTAAS_FORGE_KIND: "gitea" }],
])("half of a further Git host, or a kind that there is none of, is refused: %s", (name, changes) => {
  expect(() => readControllerConfig({ ...needed, ...changes })).toThrow(name);
});
