import { expect, test } from "vitest";
import { brokenSharedStatus, sharedStatus } from "./shared-status.ts";

const folder = (assets: string[]) => ({
  list: (path: string) => (path === "" ? ["models"] : path === "models" ? assets : []),
});
const shared = [
  { project: "dtaas/common", tree: folder(["tank", "pump"]) },
  { project: "lab/turbines", tree: folder(["blade", "pump"]) },
];

test("the commit of a shared repository says what is seen of it, and what is hidden behind which other one", () => {
  expect(sharedStatus("dtaas/common", shared)).toEqual({
    name: "dtaas/shared",
    state: "success",
    description: "2 assets are seen",
  });
  expect(sharedStatus("lab/turbines", shared).description).toBe(
    "1 assets are seen; hidden behind earlier repositories: models/pump (dtaas/common)",
  );
});

test("a long list is cut to what Git hosts show", () => {
  const many = Array.from({ length: 100 }, (_, n) => `asset-${n}`);
  const both = ["a/a", "b/b"].map((project) => ({ project, tree: folder(many) }));
  expect(sharedStatus("b/b", both).description).toHaveLength(255);
});

test("a commit that may not be checked out has failed, and says that the one before is seen", () => {
  expect(brokenSharedStatus("`x`: It is a submodule")).toMatchObject({
    state: "failed",
    description: "`x`: It is a submodule - the commit before is still seen",
  });
});
