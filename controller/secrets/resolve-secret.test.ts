import { expect, test } from "vitest";
import type { ForgeVariable } from "../forge/forge.ts";
import { resolveSecret, type SecretFile, type SecretSources } from "./resolve-secret.ts";

function variable(more: Partial<ForgeVariable> = {}): ForgeVariable {
  const plain = { kind: "variable" as const, protected: false, masked: true, scope: "*", of: "dtaas/user1" };
  return { key: "TOKEN", value: "the project's", ...plain, ...more };
}

function sources(variables: ForgeVariable[], more: Partial<SecretSources> = {}): SecretSources {
  return {
    project: "dtaas/user1",
    branch: "main",
    variables: { variables, unreadable: [], defaultBranchIsProtected: true },
    files: new Map(),
    hasKey: true,
    ...more,
  };
}

const token = { name: "TOKEN", env: false };
const look = (from: SecretSources, reference = token) => {
  const found = resolveSecret(reference, "tank", from);
  if (found.kind === "value") return found.value;
  return found.kind === "file" ? found.sealedText : found.problem;
};

test("the project's variable counts before its group's, and a nearer group's before a farther one's", () => {
  const far = variable({ value: "far", of: "lab" });
  const near = variable({ value: "near", of: "lab/dtaas" });
  expect(look(sources([variable(), near, far]))).toBe("the project's");
  expect(look(sources([near, far]))).toBe("near");
  expect(look(sources([far]))).toBe("far");
});

test("of one place the narrowest scope that fits the twin wins, in whatever order they come", () => {
  const all = ["*", "dtaas/*", "dtaas/tank", "dtaas/t*", "production"].map((scope) =>
    variable({ scope, value: scope }),
  );
  expect(look(sources(all))).toBe("dtaas/tank");
  expect(look(sources(all.toReversed()))).toBe("dtaas/tank");
  expect(look(sources(all.filter(({ scope }) => scope !== "dtaas/tank")))).toBe("dtaas/t*");
  expect(look(sources([variable({ scope: "*/tank", value: "end" })]))).toBe("end");
});

test("a value for other environments only is no value, and its scopes are told", () => {
  const others = [
    variable({ scope: "production" }),
    variable({ scope: "dtaas/pump" }),
    variable({ scope: "dtaas/tank*s" }),
  ];
  expect(look(sources(others))).toEqual({
    kind: "elsewhere",
    scopes: ["production", "dtaas/pump", "dtaas/tank*s"],
    environment: "dtaas/tank",
  });
});

test("a narrower scope of a group does not win over the project's own", () => {
  expect(look(sources([variable(), variable({ scope: "dtaas/tank", value: "narrow", of: "dtaas" })]))).toBe(
    "the project's",
  );
});

test("a protected variable is for a protected default branch only", () => {
  const variables = {
    variables: [variable({ protected: true })],
    unreadable: [],
    defaultBranchIsProtected: false,
  };
  expect(look(sources([variable({ protected: true })]))).toBe("the project's");
  expect(look(sources([], { variables }))).toEqual({ kind: "protected", branch: "main" });
});

test("a hidden one, one that is too large, and one that no variable can hold are said to be so", () => {
  expect(look(sources([variable({ value: undefined })]))).toEqual({ kind: "hidden" });
  expect(look(sources([variable({ value: "x".repeat(65_537) })]))).toMatchObject({ kind: "too-large" });
  expect(look(sources([variable({ value: "a\0b" })]), { name: "TOKEN", env: true })).toEqual({
    kind: "not-environment",
  });
});

test("a file of the repository counts before a variable; a broken one is not passed over", () => {
  const files = new Map<string, SecretFile>([
    ["TOKEN", { kind: "sealed", sealedText: "sealed", contentId: "1" }],
  ]);
  expect(look(sources([variable()], { files }))).toBe("sealed");
  const broken = new Map<string, SecretFile>([["TOKEN", { kind: "broken", reason: "is no age file" }]]);
  expect(look(sources([variable()], { files: broken }))).toEqual({
    kind: "file-broken",
    file: "secrets/TOKEN.age",
    reason: "is no age file",
  });
});

test("what the platform may not read, or has no key for, is told as such", () => {
  expect(look(sources([], { variables: "forbidden" }))).toEqual({
    kind: "unreadable",
    project: "dtaas/user1",
  });
  expect(look(sources([variable()], { hasKey: false }))).toEqual({ kind: "no-key" });
  expect(look(sources([variable({ key: "TOKENS" })]))).toEqual({
    kind: "missing",
    known: ["TOKENS"],
    unreadable: [],
  });
});
