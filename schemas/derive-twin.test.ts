import { expect, test } from "vitest";
import { deriveTwin } from "./derive-twin.ts";
import { parseDigitalTwin } from "./parse-digital-twin.ts";

test("a folder without dt.yaml is the same twin as one with the smallest dt.yaml", () => {
  const scripts = ["terminate", "create", "execute", "README.md", "Helper", "constructor"];
  const text = "apiVersion: dtaas/v1\nkind: DigitalTwin\nmetadata: { name: hello_world }\nspec: {}\n";
  const { document } = parseDigitalTwin(text, {
    file: "dt.yaml",
    folder: "hello_world",
    user: "user1",
    scripts,
  });
  const derived = deriveTwin("hello_world", scripts);
  expect(derived).toEqual({ ...document, derived: true });
  expect(Object.keys(derived.spec.lifecycle)).toEqual(["create", "execute", "terminate"]);
});

test("what the caller inherits is copied, not shared", () => {
  const defaults = {
    workspace: { template: "python", packages: { apt: ["git"], pip: [] } },
    resources: { cpus: 1, memoryBytes: 2, pids: 3 },
  };
  const derived = deriveTwin("a", [], defaults);
  derived.spec.workspace.packages.apt.push("x");
  derived.spec.resources.cpus = 9;
  expect(defaults).toEqual({
    workspace: { template: "python", packages: { apt: ["git"], pip: [] } },
    resources: { cpus: 1, memoryBytes: 2, pids: 3 },
  });
});

test("more scripts than a dt.yaml may name operations are left out", () => {
  const scripts = Array.from({ length: 60 }, (_, n) => `op${n}`);
  expect(Object.keys(deriveTwin("a", scripts).spec.lifecycle)).toHaveLength(50);
});
