import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkDependencies, type DependencyNode } from "./check-dependencies.ts";

function node(name: string, ...dependsOn: string[]): DependencyNode {
  const [user = "", twin = ""] = name.split("/");
  const locate = (pointer: string) => ({ line: 10 + Number(pointer.split("/").at(-1)), column: 5 });
  return { user, twin, dependsOn, file: `digital_twins/${twin}/dt.yaml`, locate };
}

describe("dependsOn over the twins of all users", () => {
  test("a chain and a diamond are fine", () => {
    expect(
      checkDependencies([node("a/1", "a/2", "b/3"), node("a/2", "b/4"), node("b/3", "b/4"), node("b/4")])
        .size,
    ).toBe(0);
  });

  test("a cycle across users is an error at each twin in it, at the dependency that leads round", () => {
    const found = checkDependencies([
      node("a/1", "a/0", "b/2"),
      node("b/2", "b/3"),
      node("b/3", "a/1"),
      node("a/0"),
    ]);
    expect(Object.fromEntries(found)).toMatchObject({
      "a/1": [
        {
          code: "dependency-cycle",
          severity: "error",
          file: "digital_twins/1/dt.yaml",
          line: 11,
          message: "these twins wait for each other: a/1 -> b/2 -> b/3 -> a/1",
        },
      ],
      "b/2": [{ line: 10, message: "these twins wait for each other: b/2 -> b/3 -> a/1 -> b/2" }],
      "b/3": [{ line: 10 }],
    });
    expect([...found.keys()]).not.toContain("a/0");
  });

  test("who waits for a twin in a cycle is not itself in one", () => {
    const found = checkDependencies([node("a/1", "a/2"), node("a/2", "a/1"), node("a/3", "a/1")]);
    expect([...found.keys()].sort()).toEqual(["a/1", "a/2"]);
  });

  test("two cycles through one twin are each named by their own twins", () => {
    const found = checkDependencies([node("a/m", "a/x", "a/y"), node("a/x", "a/m"), node("a/y", "a/m")]);
    expect(found.get("a/y")?.[0]?.message).toBe("these twins wait for each other: a/y -> a/m -> a/y");
    expect(found.get("a/x")?.[0]?.message).toBe("these twins wait for each other: a/x -> a/m -> a/x");
  });

  test("a twin that does not exist is a warning with the name that was probably meant", () => {
    const found = checkDependencies([node("a/tank", "a/plnat"), node("a/plant")]);
    expect(found.get("a/tank")).toMatchObject([
      { code: "unknown-dependency", severity: "warning", hint: "did you mean `a/plant`?" },
    ]);
  });

  test("twins of users that cannot be seen from here are not guessed at", () => {
    expect(checkDependencies([node("a/1", "b/2")], (user) => user === "a").size).toBe(0);
  });

  test("a cycle of ten thousand twins neither overflows nor fills the screen", () => {
    const nodes = Array.from({ length: 10_000 }, (_, n) => node(`a/t${n}`, `a/t${(n + 1) % 10_000}`));
    const found = checkDependencies(nodes);
    expect(found.size).toBe(10_000);
    expect(found.get("a/t5")?.[0]?.message.length).toBeLessThan(200);
  });

  test("a twin is in a cycle exactly when it can reach itself", () => {
    const edges = fc.array(fc.tuple(fc.nat(7), fc.nat(7)), { maxLength: 20 });
    fc.assert(
      fc.property(edges, (pairs) => {
        const names = Array.from({ length: 8 }, (_, n) => `u/t${n}`);
        const targets = (from: number) => [
          ...new Set(pairs.filter(([a]) => a === from).map(([, b]) => `u/t${b}`)),
        ];
        const nodes = names.map((name, n) => node(name, ...targets(n)));
        const reaches = (start: string) => {
          const seen = new Set<string>();
          const open = [start];
          for (const name of open) {
            for (const next of nodes.find((n) => `u/${n.twin}` === name)?.dependsOn ?? []) {
              if (!seen.has(next)) open.push(next);
              seen.add(next);
            }
          }
          return seen.has(start);
        };
        const found = checkDependencies(nodes);
        expect([...found.keys()].sort()).toEqual(names.filter(reaches).sort());
        for (const [name, [finding]] of found) {
          expect(finding?.message).toContain(`: ${name} -> `);
          expect(finding?.message.endsWith(`-> ${name}`)).toBe(true);
        }
      }),
      { numRuns: 200 },
    );
  });
});
