import { describe, expect, test } from "vitest";
import { desiredTwin } from "#planning/simulated-twin";
import type { DesiredState, View } from "#schemas/desired-state";
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

/** What shared repositories give, as tree ids by asset. */
function common(assets: Record<string, string>, sources: View["sources"]): NonNullable<UserAtHead["common"]> {
  const list = Object.entries(assets).map(([path, id]) => ({ path, id, from: 0 }));
  return { view: { sources, assets: list, hidden: [], problems: [] }, tree: tree(assets) };
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

describe("what a push to a shared repository makes of a twin", () => {
  const lab = (commit: string) => [{ project: "lab/turbines", commit }];
  const declaring: TwinAtHead = {
    ...good,
    document: document({
      spec: { ...document().spec, assets: [{ kind: "model", path: "common/models/blade" }] },
    }),
  };
  const at = (shared: UserAtHead["common"], twins: TwinAtHead[], before?: DesiredState) =>
    desireUser({ ...head(first, files, twins), ...(shared ? { common: shared } : {}) }, before);
  const one = common({ "models/blade": "b1", "models/hub": "h1" }, lab("1".repeat(40)));
  const before = state(at(one, [declaring]), first);
  const keyOf = (desire: ReturnType<typeof desireUser>) => desire.twins[0]?.sourceKey;

  test("a twin that declares the asset has a new source key, and sees the new commit", () => {
    const two = at(
      common({ "models/blade": "b2", "models/hub": "h1" }, lab("2".repeat(40))),
      [declaring],
      before,
    );
    expect(keyOf(two)).not.toBe(keyOf(before));
    expect(two.twins[0]).toMatchObject({ shared: lab("2".repeat(40)), assetsFrom: ["lab/turbines"] });
  });

  test("one that does not keeps its key; what it starts from now on sees the new commit", () => {
    const two = at(
      common({ "models/blade": "b1", "models/hub": "h2" }, lab("2".repeat(40))),
      [declaring],
      before,
    );
    expect(keyOf(two)).toBe(keyOf(before));
    expect(two.twins[0]?.shared).toEqual(lab("2".repeat(40)));
  });

  test("a broken spec stays with the commits it was good with", () => {
    const broken = { name: "tank", diagnostics: [problem] };
    const two = at(common({ "models/blade": "b2" }, lab("2".repeat(40))), [broken], before);
    expect(two.twins[0]).toMatchObject({ shared: lab("1".repeat(40)), sourceKey: keyOf(before) });
    expect(two.twins[0]?.withheld).toBeUndefined();
  });

  test("when the repository may not be read any more, the twin is withheld until it may", () => {
    const broken = { name: "tank", diagnostics: [problem] };
    const lost = at(common({}, []), [broken], before);
    expect(lost.twins[0]).toMatchObject({
      shared: [],
      withheld: { reason: expect.stringContaining("lab/turbines") },
    });
    const back = at(one, [declaring], state(lost, second));
    expect(back.twins[0]).toMatchObject({ sourceKey: keyOf(before), shared: lab("1".repeat(40)) });
    expect(back.twins[0]?.withheld).toBeUndefined();
  });
});
