import { describe, expect, test } from "vitest";
import { desiredTwin } from "#planning/simulated-twin";
import type { DesiredState } from "#schemas/desired-state";
import type { Diagnostic } from "#schemas/diagnostic";
import type { TwinDocument } from "#schemas/twin-spec";
import { desireUser, type TwinAtHead, type UserAtHead } from "./desire-user.ts";
import { sourceKey, type TreeIds } from "./source-key.ts";

const first = "1".repeat(40);
const second = "2".repeat(40);

/** A repository of files whose content is its own hash. */
function tree(files: Record<string, string>): TreeIds {
  return {
    id: (path) =>
      files[path] ??
      (Object.keys(files).some((file) => file.startsWith(`${path}/`)) ? JSON.stringify(files) : undefined),
    list: (folder) =>
      Object.entries(files).flatMap(([path, id]) =>
        path.startsWith(`${folder}/`) && !path.slice(folder.length + 1).includes("/")
          ? [{ path, id, executable: false }]
          : [],
      ),
  };
}

function document(change: Partial<TwinDocument> = {}): TwinDocument {
  const { metadata, spec } = desiredTwin("unused");
  return { metadata, state: "running", suspend: false, derived: false, spec, ...change };
}

const files = { "digital_twins/tank/dt.yaml": "a", "digital_twins/tank/main.py": "b", "README.md": "c" };

function head(revision: string, own: Record<string, string>, twins: TwinAtHead[]): UserAtHead {
  return { user: "user1", project: { id: 1, path: "dtaas/user1" }, revision, twins, own: tree(own) };
}

function state(desire: ReturnType<typeof desireUser>, revision: string): DesiredState {
  return {
    version: 1,
    user: "user1",
    generation: 1,
    writtenAt: "",
    project: { id: 1, path: "dtaas/user1" },
    revision,
    ...desire,
  };
}

const good: TwinAtHead = { name: "tank", document: document(), diagnostics: [] };
const problem: Diagnostic = {
  code: "x",
  severity: "error",
  file: "digital_twins/tank/dt.yaml",
  line: 5,
  column: 3,
  message: "no",
};

describe("what a push makes of a twin", () => {
  const before = state(desireUser(head(first, files, [good]), undefined), first);
  const pushed = (own: Record<string, string>, twin: TwinAtHead = good) =>
    desireUser(head(second, own, [twin]), before);
  const pinnedTo = (desire: ReturnType<typeof desireUser>) => desire.twins[0]?.own.commit;

  test("a new twin is pinned to the revision that brought it", () => {
    expect(before.twins[0]).toMatchObject({
      revision: first,
      own: { project: "dtaas/user1", commit: first },
    });
  });

  test("a README at the top or in its folder, or a comment in dt.yaml, leaves it pinned where it was", () => {
    expect(pinnedTo(pushed({ ...files, "README.md": "new" }))).toBe(first);
    expect(pinnedTo(pushed({ ...files, "digital_twins/tank/README.md": "new" }))).toBe(first);
    expect(pinnedTo(pushed({ ...files, "digital_twins/tank/dt.yaml": "new" }))).toBe(first);
  });

  test("its state, its title or its being suspended change without a new pin", () => {
    const stopped = pushed(files, { ...good, document: document({ state: "stopped", suspend: true }) });
    expect(stopped.twins[0]).toMatchObject({ state: "stopped", suspend: true, revision: first });
  });

  test("a changed script moves it to the new revision", () => {
    expect(pinnedTo(pushed({ ...files, "digital_twins/tank/main.py": "new" }))).toBe(second);
  });

  test("a changed spec moves it to the new revision", () => {
    const { spec } = document();
    const more = document({ spec: { ...spec, environment: { LEVEL: "2" } } });
    expect(pinnedTo(pushed(files, { ...good, document: more }))).toBe(second);
  });

  test("a broken spec keeps the last good one and says where the fault is", () => {
    const [twin] = pushed(
      { ...files, "digital_twins/tank/main.py": "new" },
      { name: "tank", diagnostics: [problem] },
    ).twins;
    expect(twin).toMatchObject({
      revision: first,
      brokenSince: { revision: second, diagnostics: [problem] },
    });
  });

  test("a mended spec with the old content goes on as if nothing had been", () => {
    const broken = state(pushed(files, { name: "tank", diagnostics: [problem] }), second);
    const [twin] = desireUser(head("3".repeat(40), files, [good]), broken).twins;
    expect(twin?.revision).toBe(first);
    expect(twin?.brokenSince).toBeUndefined();
  });

  test("a spec that never was good is refused", () => {
    const { twins, refused } = desireUser(
      head(first, files, [{ name: "tank", diagnostics: [problem] }]),
      undefined,
    );
    expect(twins).toEqual([]);
    expect(refused).toEqual([{ name: "tank", revision: first, diagnostics: [problem] }]);
  });

  test("a warning refuses nothing", () => {
    const warned = { ...good, diagnostics: [{ ...problem, severity: "warning" as const }] };
    expect(desireUser(head(first, files, [warned]), undefined).twins).toHaveLength(1);
  });

  test("a deleted folder is no longer desired", () => {
    expect(desireUser(head(second, {}, []), before)).toEqual({ twins: [], refused: [] });
  });
});

describe("the source key", () => {
  const spec = { ...document().spec, assets: [{ kind: "model" as const, path: "common/models/pump" }] };
  const key = (common: Record<string, string>) =>
    sourceKey({ name: "tank", spec }, tree(files), tree(common));

  test("follows the shared assets that the twin declares, and no others", () => {
    const pump = { "models/pump": "p1", "models/valve": "v1" };
    expect(key({ ...pump, "models/valve": "v2" })).toBe(key(pump));
    expect(key({ ...pump, "models/pump": "p2" })).not.toBe(key(pump));
  });

  test("does not depend on the order in which a spec was written", () => {
    const reversed = Object.fromEntries(Object.entries(spec).reverse()) as typeof spec;
    expect(sourceKey({ name: "tank", spec: reversed }, tree(files), undefined)).toBe(
      sourceKey({ name: "tank", spec }, tree(files), undefined),
    );
  });
});
