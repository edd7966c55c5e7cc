import { expect, test } from "vitest";
import type { ForgeVariable, ListedVariables } from "../forge/forge.ts";
import { credentialReader } from "./read-credential.ts";

const project = { id: 1, path: "dtaas/ada", defaultBranch: "main", webUrl: "" };
const own: ForgeVariable = {
  key: "T",
  value: "secret",
  kind: "variable",
  protected: false,
  masked: true,
  scope: "*",
  of: "dtaas/ada",
};

async function read(variables: ForgeVariable[], defaultBranchIsProtected = false) {
  const list = async (): Promise<ListedVariables> => ({
    variables,
    unreadable: [],
    defaultBranchIsProtected,
  });
  const never = async () => {
    throw new Error("a reader writes nothing");
  };
  return await credentialReader({ variables: { list, set: never, remove: never } })(project, "T");
}

test("the project's own variable for every environment is read", async () => {
  expect(await read([{ ...own, key: "U" }, own])).toBe("secret");
  expect(await read([{ ...own, protected: true }], true)).toBe("secret");
});

test.each<[string, Partial<ForgeVariable>]>([
  ["of a group, which is not the user's to send elsewhere", { of: "dtaas" }],
  ["for one environment only", { scope: "production" }],
  ["protected, on a branch that is not", { protected: true }],
  ["a file", { kind: "file" }],
  ["hidden", { value: undefined }],
])("a variable %s is not read", async (_what, more) => {
  expect(await read([{ ...own, ...more }])).toBeUndefined();
});
