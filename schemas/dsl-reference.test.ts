import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { packageRoot } from "#core/package-root";
import { compileSchema } from "./compile-schema.ts";
import { parseDigitalTwin } from "./parse-digital-twin.ts";
import { parsePlatform } from "./parse-platform.ts";
import { parseWorkspace } from "./parse-workspace.ts";

const reference = readFileSync(join(packageRoot, "docs", "dsl.md"), "utf8");

describe("the language reference", () => {
  test("its examples are valid", () => {
    const examples = [...reference.matchAll(/```yaml\n(.*?)```/gs)].map(([, text]) => text ?? "");
    const kinds = examples.flatMap((text) => {
      const kind = /^kind: (\w+)$/m.exec(text)?.[1];
      const folder = /name: ([a-z-]+)/.exec(text)?.[1] ?? "";
      const file = "example";
      const parsed = {
        DigitalTwin: () => parseDigitalTwin(text, { file, folder, user: "user1", scripts: ["execute"] }),
        Workspace: () => parseWorkspace(text, { file }),
        Platform: () => parsePlatform(text, { file }),
      }[kind ?? ""];
      if (parsed === undefined) return [];
      expect(parsed().diagnostics, text).toEqual([]);
      return [kind];
    });
    expect(kinds.sort()).toEqual(["DigitalTwin", "DigitalTwin", "Platform", "Workspace"]);
  });

  test("lists every diagnostic code, and no other", () => {
    const folder = join(packageRoot, "schemas");
    const sources = readdirSync(folder).filter((name) => name.endsWith(".ts") && !name.includes(".test."));
    const inCode = new Set<string>();
    const call = /(?:code: |\b(?:finding|report|at|fileError)\(\s*|diagnostic\(check, )"([a-z0-9-]+)"/g;
    for (const name of sources) {
      for (const [, code] of readFileSync(join(folder, name), "utf8").matchAll(call)) inCode.add(code ?? "");
    }
    const diagnostics = reference.slice(reference.indexOf("## Diagnostics"));
    const inReference = [...diagnostics.matchAll(/^\| `([a-z0-9-]+)` \|/gm)].map(([, code]) => code ?? "");
    expect([...inCode].sort()).toEqual(inReference.sort());
    expect(inCode.size).toBeGreaterThan(40);
  });

  test("names every field of the language", () => {
    const names = new Set<string>();
    const collect = (schema: unknown): void => {
      if (typeof schema !== "object" || schema === null) return;
      for (const [keyword, child] of Object.entries(schema)) {
        if (keyword === "properties") for (const name of Object.keys(child as object)) names.add(name);
        collect(child);
      }
    };
    for (const kind of ["digital-twin", "workspace", "platform"]) collect(compileSchema(kind).schema);
    const missing = [...names].filter((name) => !new RegExp(`[\`. ]${name}[\`.:]`).test(reference));
    expect(missing).toEqual([]);
    expect(names.size).toBeGreaterThan(40);
  });
});
