import { expect, test } from "vitest";
import type { Forge, ForgeProject, NewCommit, WantedHook } from "./forge.ts";

/** A Git host that the contract can be tried on; everything it makes gets a name of its own. */
export interface ForgeStage {
  forge: Forge;
  /** The same forge as seen with a token that was never good. */
  withBadToken: Forge;
  /** A group that holds nothing but what the contract makes. */
  group: string;
  createProject(name: string): Promise<void>;
  archiveProject(path: string): Promise<void>;
  /** Writes files to `main` in one commit; resolves with its id. */
  push(path: string, files: Record<string, string>): Promise<string>;
  /** A file at a commit. */
  read(path: string, commit: string, file: string): Promise<Buffer>;
  /** Every file of the default branch. */
  files(path: string): Promise<Record<string, { content: Buffer; executable: boolean }>>;
  /** How many commits lie between the two. */
  commitsBetween(path: string, from: string, to: string): Promise<number>;
  createUser(username: string): Promise<{ id: number; token: string }>;
  addMember(path: string, username: string, accessLevel: number): Promise<void>;
  revokeTokens(username: string): Promise<void>;
  hooks(path: string): Promise<{ id: number; url: string; events: string[] }[]>;
  /** Makes a CI/CD variable, of a project or a group, as somebody on the host's pages does. */
  addVariable(of: { project: string } | { group: string }, variable: StagedVariable): Promise<void>;
  /** Takes every protection off `main`. */
  unprotect(path: string): Promise<void>;
  /** Whether the platform's account may read variables of the group. */
  readsGroup(may: boolean): Promise<void>;
  /** Makes a hook that is not ours, or one of ours that somebody changed. */
  addHook(path: string, url: string, events: string[]): Promise<void>;
  /** Longest description of a status, in characters; default: 255. */
  maxDescription?: number;
  /** The level that all members of a group have as such, where the host gives each the same. */
  groupLevel?: number;
}

export interface StagedVariable {
  key: string;
  value: string;
  scope?: string;
  isFile?: boolean;
  isProtected?: boolean;
  isHidden?: boolean;
}

const hook: WantedHook = {
  url: "http://127.0.0.1:9/webhooks/gitlab?project=1",
  token: "token-of-this-project",
  signingToken: `whsec_${Buffer.alloc(32, 1).toString("base64")}`,
};
const developer = 30;

/**
 * What every adapter of `Forge` promises; register it inside a test file with a stage that is ready in `beforeAll`. `variables`: the
 * host gives values of secrets back, so that secrets of twins can be kept there.
 */
export function forgeContract(stage: () => ForgeStage, { variables: keepsSecrets = true } = {}): void {
  const testOfVariables = keepsSecrets ? test : () => undefined;
  let counter = 0;

  async function freshProject(
    files?: Record<string, string>,
  ): Promise<{ project: ForgeProject; head: string }> {
    counter += 1;
    const path = `${stage().group}/contract-${counter}`;
    await stage().createProject(path);
    const head = files === undefined ? "" : await stage().push(path, files);
    const project = await stage().forge.project(path);
    if (project === undefined) throw new Error(`${path} was made and is not there`);
    return { project, head };
  }

  test("projects of a group are listed, archived ones are not", async () => {
    const { project: kept } = await freshProject({ a: "1" });
    const { project: archived } = await freshProject({ a: "1" });
    await stage().archiveProject(archived.path);
    const listed = await stage().forge.listProjects(stage().group);
    expect(listed.map(({ path }) => path)).toContain(kept.path);
    expect(listed.map(({ path }) => path)).not.toContain(archived.path);
    expect(listed.find(({ id }) => id === kept.id)).toEqual(kept);
  });

  test("a group that is not there is said to be missing", async () => {
    await expect(stage().forge.listProjects(`${stage().group}-nowhere`)).rejects.toMatchObject({
      code: "GROUP_NOT_FOUND",
    });
  });

  test("a project that is not there is undefined", async () => {
    expect(await stage().forge.project(`${stage().group}/nowhere`)).toBeUndefined();
  });

  test("the head follows pushes; an empty repository has none", async () => {
    const { project } = await freshProject();
    expect(project.defaultBranch).toBeUndefined();
    expect(await stage().forge.head(project)).toBeUndefined();
    const first = await stage().push(project.path, { a: "1" });
    expect(await stage().forge.head(project)).toBe(first);
    const filled = await stage().forge.project(project.path);
    expect(filled?.defaultBranch).toBe("main");
    const second = await stage().push(project.path, { a: "2" });
    expect(await stage().forge.head(filled ?? project)).toBe(second);
  });

  test("heads of many projects are those that each has by itself; of one that is not there nothing is said", async () => {
    const projects = await Promise.all(
      [undefined, { a: "1" }, { a: "1" }].map((files) => freshProject(files)),
    );
    const [empty, ...filled] = projects.map(({ project }) => project);
    const moved = filled.at(-1);
    if (empty === undefined || moved === undefined) throw new Error("no projects");
    await stage().push(moved.path, { a: "2" });
    const gone = { ...moved, id: 999_999_999, path: `${stage().group}/nowhere` };
    const heads = await stage().forge.heads([...projects.map(({ project }) => project), gone]);
    expect(heads.has(gone.id)).toBe(false);
    for (const { project } of projects) {
      // A host that tells nothing is no fault; a wrong word would be.
      if (heads.has(project.id)) expect(heads.get(project.id)).toBe(await stage().forge.head(project));
    }
    expect((await stage().withBadToken.heads(filled)).size).toBe(0);
  });

  test("a webhook is made once, kept, mended and freed of doubles; hooks of others stay", async () => {
    const { project } = await freshProject({ a: "1" });
    await stage().addHook(project.path, "http://127.0.0.1:9/somebody-else", ["push"]);
    await stage().forge.ensureHook(project, hook);
    const made = await stage().hooks(project.path);
    expect(made.map(({ url }) => url).sort()).toEqual(["http://127.0.0.1:9/somebody-else", hook.url]);
    expect(made.find(({ url }) => url === hook.url)?.events).toEqual(["push", "merge_requests", "note"]);
    await stage().forge.ensureHook(project, hook);
    expect(await stage().hooks(project.path)).toEqual(made);

    await stage().addHook(project.path, hook.url, ["tag_push"]);
    await stage().forge.ensureHook(project, hook);
    expect(await stage().hooks(project.path)).toEqual(made);

    const moved = { ...hook, url: "http://127.0.0.1:9/moved?project=1" };
    await stage().forge.ensureHook(project, moved);
    expect((await stage().hooks(project.path)).map(({ url }) => url).sort()).toEqual(
      ["http://127.0.0.1:9/somebody-else", moved.url].sort(),
    );
  });

  test("a webhook that somebody changed is as wanted again", async () => {
    const { project } = await freshProject({ a: "1" });
    await stage().addHook(project.path, hook.url, ["tag_push"]);
    await stage().forge.ensureHook(project, hook);
    const hooks = await stage().hooks(project.path);
    expect(hooks).toHaveLength(1);
    expect(hooks[0]).toMatchObject({ url: hook.url, events: ["push", "merge_requests", "note"] });
  });

  test("a commit status goes from pending to its end and is read back; a step back is no error", async () => {
    const { project, head } = await freshProject({ a: "1" });
    const status = { commit: head, ref: "main", name: "dtaas/incubator", description: "building" };
    await stage().forge.setStatus(project, { ...status, state: "pending" });
    await stage().forge.setStatus(project, {
      ...status,
      state: "running",
      targetUrl: "http://127.0.0.1:9/run",
    });
    await stage().forge.setStatus(project, { ...status, state: "running" });
    await stage().forge.setStatus(project, { ...status, state: "pending" });
    await stage().forge.setStatus(project, { ...status, name: "dtaas/other", state: "success" });
    await stage().forge.setStatus(project, {
      ...status,
      state: "failed",
      description: "dt.yaml:3:5: unknown",
    });
    const listed = await stage().forge.listStatuses(project, head);
    expect(listed.map(({ name, state }) => `${name} ${state}`).sort()).toEqual([
      "dtaas/incubator failed",
      "dtaas/other success",
    ]);
    expect(listed.find(({ name }) => name === "dtaas/incubator")).toMatchObject({
      commit: head,
      ref: "main",
      description: "dt.yaml:3:5: unknown",
    });
  });

  test("a status after a finished one counts as the newest", async () => {
    const { project, head } = await freshProject({ a: "1" });
    const status = { commit: head, ref: "main", name: "dtaas/incubator", description: "" };
    await stage().forge.setStatus(project, { ...status, state: "failed" });
    await stage().forge.setStatus(project, { ...status, state: "pending" });
    await stage().forge.setStatus(project, { ...status, state: "success" });
    const listed = await stage().forge.listStatuses(project, head);
    expect(listed.map(({ state }) => state)).toEqual(["success"]);
  });

  test("a description that is too long is cut to what the host takes, also one of odd characters", async () => {
    const { project, head } = await freshProject({ a: "1" });
    const description = "🏭".repeat(300);
    await stage().forge.setStatus(project, {
      commit: head,
      ref: "main",
      name: "dtaas/x",
      state: "success",
      description,
    });
    const [status] = await stage().forge.listStatuses(project, head);
    expect([...(status?.description ?? "")]).toHaveLength(stage().maxDescription ?? 255);
  });

  test("a status for a commit that is not there is refused by name, and none are listed for it", async () => {
    const { project } = await freshProject({ a: "1" });
    const commit = "1".repeat(40);
    const status = { commit, ref: "main", name: "dtaas/x", state: "success" as const, description: "" };
    await expect(stage().forge.setStatus(project, status)).rejects.toMatchObject({
      code: "COMMIT_NOT_FOUND",
    });
    expect(await stage().forge.listStatuses(project, commit)).toEqual([]);
  });

  test("many statuses of one commit set at once all arrive", async () => {
    const { project, head } = await freshProject({ a: "1" });
    const names = Array.from({ length: 8 }, (_, n) => `dtaas/twin-${n}`);
    await Promise.all(
      names.map((name) =>
        stage().forge.setStatus(project, {
          commit: head,
          ref: "main",
          name,
          state: "success",
          description: "",
        }),
      ),
    );
    const listed = await stage().forge.listStatuses(project, head);
    expect(listed.map(({ name }) => name).sort()).toEqual(names);
  });

  test("a token tells who somebody is until it is revoked; nonsense is nobody", async () => {
    const user = await stage().createUser("contract-who");
    expect(await stage().forge.whoIs(user.token)).toMatchObject({ id: user.id, username: "contract-who" });
    await stage().revokeTokens("contract-who");
    expect(await stage().forge.whoIs(user.token)).toBeUndefined();
    for (const nonsense of ["", "nonsense", "a b", "line\nfeed", "é", "x".repeat(5000)]) {
      expect(await stage().forge.whoIs(nonsense)).toBeUndefined();
    }
  });

  test("access comes from the project and from its group; a stranger has none", async () => {
    const { project } = await freshProject({ a: "1" });
    const direct = await stage().createUser("contract-direct");
    const inherited = await stage().createUser("contract-inherited");
    const stranger = await stage().createUser("contract-stranger");
    await stage().addMember(project.path, "contract-direct", developer);
    await stage().addMember(stage().group, "contract-inherited", 20);
    expect(await stage().forge.accessLevel(project, direct.id)).toBe(developer);
    expect(await stage().forge.accessLevel(project, inherited.id)).toBe(20);
    expect(await stage().forge.accessLevel(project, stranger.id)).toBe(0);
  });

  test("members of a project and of a group are listed, with those of the groups above", async () => {
    const { project } = await freshProject({ a: "1" });
    await stage().createUser("contract-of-project");
    await stage().createUser("contract-of-group");
    await stage().addMember(project.path, "contract-of-project", 20);
    await stage().addMember(stage().group, "contract-of-group", developer);
    const names = async (of: { project: string } | { group: string }) =>
      (await stage().forge.members(of))
        ?.filter(({ username }) => username.startsWith("contract-of-"))
        .map(({ username, accessLevel }) => `${username} ${accessLevel}`)
        .sort();
    expect(await names({ project: project.path })).toEqual([
      "contract-of-group 30",
      "contract-of-project 20",
    ]);
    expect(await names({ group: stage().group })).toEqual([`contract-of-group ${stage().groupLevel ?? 30}`]);
    expect(await stage().forge.members({ project: `${stage().group}/nowhere` })).toBeUndefined();
    expect(await stage().forge.members({ group: `${stage().group}-nowhere` })).toBeUndefined();
  });

  test("one file is changed by its owner; a change based on an old state is refused, a stranger's too", async () => {
    const { project, head } = await freshProject({ "dt.yaml": "state: stopped\n", other: "1" });
    const owner = await stage().createUser("contract-owner");
    const stranger = await stage().createUser("contract-outsider");
    await stage().addMember(project.path, "contract-owner", 40);
    const change = { token: owner.token, file: "dt.yaml", content: "state: running\n", message: "Start it" };
    const unrelated = await stage().push(project.path, { other: "2" });
    const { commit } = await stage().forge.commitFile(project, { ...change, baseCommit: head });
    expect(commit).not.toBe(unrelated);
    expect(await stage().forge.head(project)).toBe(commit);
    await expect(
      stage().forge.commitFile(project, { ...change, content: "other\n", baseCommit: head }),
    ).rejects.toMatchObject({ code: "FILE_CHANGED" });
    await expect(
      stage().forge.commitFile(project, { ...change, token: stranger.token, baseCommit: commit }),
    ).rejects.toMatchObject({ name: "ActionNeededError" });
    const made = await stage().forge.commitFile(project, { ...change, file: "new/file", baseCommit: commit });
    expect(await stage().forge.head(project)).toBe(made.commit);
  });

  test("many files are committed to a branch at once, byte for byte; what is there already is not committed again", async () => {
    const { project, head } = await freshProject({ "data/old": "1", "data/same": "same" });
    const owner = await stage().createUser("contract-saver");
    const stranger = await stage().createUser("contract-no-saver");
    await stage().addMember(project.path, "contract-saver", developer);
    const bytes = Uint8Array.from({ length: 512 }, (_, index) => index % 256);
    const files = [
      { path: "data/old", content: bytes },
      { path: "data/same", content: Buffer.from("same") },
      { path: "data/new folder/ü", content: new Uint8Array() },
    ];
    const change = { token: owner.token, branch: "results/1", files, message: "Save results" };
    const { commit } = await stage().forge.commitFiles(project, change);
    expect(commit).toMatch(/^[0-9a-f]{40}$/);
    expect(await stage().forge.head(project)).toBe(head);
    expect(await stage().read(project.path, commit ?? "", "data/old")).toEqual(Buffer.from(bytes));
    expect(await stage().read(project.path, commit ?? "", "data/new folder/ü")).toEqual(Buffer.alloc(0));

    expect(await stage().forge.commitFiles(project, change)).toEqual({ commit: undefined });
    const more = { ...change, files: [...files, { path: "top", content: bytes }] };
    const second = await stage().forge.commitFiles(project, more);
    expect(await stage().read(project.path, second.commit ?? "", "top")).toEqual(Buffer.from(bytes));
    expect(await stage().read(project.path, second.commit ?? "", "data/same")).toEqual(Buffer.from("same"));

    await expect(
      stage().forge.commitFiles(project, { ...change, token: stranger.token, branch: "other" }),
    ).rejects.toMatchObject({ name: "ActionNeededError" });
    const inTheWay = { ...change, files: [{ path: "data/old/below", content: bytes }] };
    await expect(stage().forge.commitFiles(project, inTheWay)).rejects.toMatchObject({
      code: "COMMIT_REFUSED",
    });
  });

  test("of two who save to the same new branch at once, both succeed or one is told that it moved", async () => {
    const { project } = await freshProject({ a: "1" });
    const owner = await stage().createUser("contract-racer");
    await stage().addMember(project.path, "contract-racer", developer);
    const results = await Promise.allSettled(
      ["x", "y"].map((path) =>
        stage().forge.commitFiles(project, {
          token: owner.token,
          branch: "race",
          files: [{ path, content: Buffer.from(path) }],
          message: path,
        }),
      ),
    );
    const lost = results.filter((result) => result.status === "rejected");
    expect(lost.length).toBeLessThan(2);
    for (const { reason } of lost) expect(reason).toMatchObject({ code: "BRANCH_MOVED" });
  });

  test("many files are made, changed, moved and removed in one commit, byte for byte", async () => {
    const { project, head } = await freshProject({ "models/a.txt": "1", "models/b.txt": "2", "data/c": "3" });
    const owner = await stage().createUser("contract-author");
    await stage().addMember(project.path, "contract-author", developer);
    const binary = Uint8Array.from({ length: 1024 }, (_, n) => (n * 7) % 256);
    const { commit } = await stage().forge.commit(project, {
      token: owner.token,
      message: "Ordnung schaffen: größer\n\nZwei Zeilen",
      actions: [
        { action: "create", path: "models/größe 模型.fmu", content: binary, executable: false },
        { action: "create", path: "tools/run", content: Buffer.from("#!/bin/sh\n"), executable: true },
        { action: "update", path: "models/a.txt", content: Buffer.from("é\n"), lastCommit: head },
        { action: "chmod", path: "models/a.txt", executable: true },
        { action: "move", from: "models/b.txt", path: "models/moved/b.txt", lastCommit: head },
        { action: "delete", path: "data/c", lastCommit: head },
      ],
    });
    expect(await stage().forge.head(project)).toBe(commit);
    const files = await stage().files(project.path);
    expect(Object.keys(files).sort()).toEqual([
      "models/a.txt",
      "models/größe 模型.fmu",
      "models/moved/b.txt",
      "tools/run",
    ]);
    expect(files["models/größe 模型.fmu"]?.content.equals(binary)).toBe(true);
    expect(files["models/größe 模型.fmu"]?.executable).toBe(false);
    expect(files["tools/run"]?.executable).toBe(true);
    expect(files["models/a.txt"]).toEqual({ content: Buffer.from("é\n"), executable: true });
    expect(files["models/moved/b.txt"]?.content.toString()).toBe("2");
    expect(await stage().commitsBetween(project.path, head, commit)).toBe(1);
  });

  test("a commit whose files have moved on, or are there already, changes nothing and names the file", async () => {
    const { project, head } = await freshProject({ a: "1", b: "1" });
    const owner = await stage().createUser("contract-late");
    const reader = await stage().createUser("contract-reader");
    await stage().addMember(project.path, "contract-late", 40);
    await stage().addMember(project.path, "contract-reader", 20);
    const newer = await stage().push(project.path, { b: "2" });
    const content = Buffer.from("mine");
    const late = (actions: NewCommit["actions"], token = owner.token) =>
      stage().forge.commit(project, { token, message: "late", actions });
    const good = { action: "update", path: "a", content, lastCommit: head } as const;
    const inTheWay = { code: "FILE_CHANGED", where: { file: "b" } };
    await expect(
      late([good, { action: "update", path: "b", content, lastCommit: head }]),
    ).rejects.toMatchObject(inTheWay);
    await expect(late([good, { action: "delete", path: "b", lastCommit: head }])).rejects.toMatchObject(
      inTheWay,
    );
    await expect(
      late([good, { action: "create", path: "b", content, executable: false }]),
    ).rejects.toMatchObject(inTheWay);
    await expect(late([{ action: "move", from: "a", path: "b", lastCommit: head }])).rejects.toMatchObject(
      inTheWay,
    );
    await expect(late([good], reader.token)).rejects.toMatchObject({ code: "FORGE_FORBIDDEN" });
    expect(await stage().forge.head(project)).toBe(newer);
  });

  test("the first commit of an empty repository makes its branch", async () => {
    const { project } = await freshProject();
    const owner = await stage().createUser("contract-first");
    await stage().addMember(project.path, "contract-first", 40);
    const content = Buffer.from("1");
    const { commit } = await stage().forge.commit(project, {
      token: owner.token,
      message: "first",
      actions: [{ action: "create", path: "data/a", content, executable: false }],
    });
    const filled = await stage().forge.project(project.path);
    expect(filled?.defaultBranch).toBe("main");
    expect(await stage().forge.head(filled ?? project)).toBe(commit);
  });

  test("a refused token is said to be refused by everything that asks with it", async () => {
    const { project, head } = await freshProject({ a: "1" });
    const { withBadToken } = stage();
    const refused = { code: "FORGE_TOKEN_REFUSED" };
    await expect(withBadToken.listProjects(stage().group)).rejects.toMatchObject(refused);
    await expect(withBadToken.project(project.path)).rejects.toMatchObject(refused);
    await expect(withBadToken.head(project)).rejects.toMatchObject(refused);
    await expect(withBadToken.listStatuses(project, head)).rejects.toMatchObject(refused);
  });

  testOfVariables(
    "variables of the project come first, then those of its group, with all that decides about them",
    async () => {
      const { project } = await freshProject({ a: "1" });
      await stage().readsGroup(true);
      await stage().addVariable({ group: stage().group }, { key: "SHARED", value: "of the group" });
      await stage().addVariable({ project: project.path }, { key: "TOKEN", value: "for all" });
      const only = { key: "TOKEN", value: "for one", scope: "dtaas/tank", isProtected: true };
      await stage().addVariable({ project: project.path }, only);
      const multiline = "-----BEGIN-----\nx $NOT_EXPANDED\n-----END-----\n";
      await stage().addVariable({ project: project.path }, { key: "CERT", value: multiline, isFile: true });
      await stage().addVariable(
        { project: project.path },
        { key: "HIDDEN", value: "hidden-value", isHidden: true },
      );
      const listed = await stage().forge.variables.list(project);
      expect(listed.unreadable).toEqual([]);
      expect(listed.defaultBranchIsProtected).toBe(true);
      const plain = { kind: "variable", protected: false, masked: false, scope: "*", of: project.path };
      expect(listed.variables).toHaveLength(5);
      expect(listed.variables).toEqual(
        expect.arrayContaining([
          { ...plain, key: "TOKEN", value: "for all" },
          { ...plain, key: "TOKEN", value: "for one", scope: "dtaas/tank", protected: true },
          { ...plain, key: "CERT", value: multiline, kind: "file" },
          { ...plain, key: "HIDDEN", value: undefined, masked: true },
        ]),
      );
      expect(listed.variables.at(-1)).toEqual({
        ...plain,
        key: "SHARED",
        value: "of the group",
        of: stage().group,
      });
      await stage().unprotect(project.path);
      expect((await stage().forge.variables.list(project)).defaultBranchIsProtected).toBe(false);
    },
  );

  testOfVariables(
    "a group whose variables may not be read is named, and those of the project are there",
    async () => {
      const { project } = await freshProject({ a: "1" });
      await stage().addVariable({ project: project.path }, { key: "TOKEN", value: "for all" });
      await stage().readsGroup(false);
      const listed = await stage().forge.variables.list(project);
      expect(listed.unreadable).toEqual([stage().group]);
      expect(listed.variables.map(({ key }) => key)).toEqual(["TOKEN"]);
      await stage().readsGroup(true);
    },
  );

  testOfVariables(
    "a variable is made, replaced and removed by a maintainer, each scope for itself",
    async () => {
      const { project } = await freshProject({ a: "1" });
      const { token } = await stage().createUser(`contract-keeper-${counter}`);
      await stage().addMember(project.path, `contract-keeper-${counter}`, 40);
      const { variables } = stage().forge;
      const all = { token, key: "TOKEN", scope: "*" };
      const one = { token, key: "TOKEN", scope: "dtaas/tank" };
      expect(await variables.set(project, { ...all, value: "first-value" })).toEqual({ created: true });
      expect(await variables.set(project, { ...one, value: "of the tank" })).toEqual({ created: true });
      expect(await variables.set(project, { ...all, value: "a $value\nof lines" })).toEqual({
        created: false,
      });
      const ofProject = async () =>
        (await variables.list(project)).variables
          .filter(({ of }) => of === project.path)
          .map(({ scope, value, masked, protected: isProtected }) => [scope, value, masked, isProtected]);
      expect(await ofProject()).toEqual([
        ["*", "a $value\nof lines", false, true],
        ["dtaas/tank", "of the tank", false, true],
      ]);
      await variables.set(project, { ...all, value: "maskable-again" });
      expect((await ofProject())[0]).toEqual(["*", "maskable-again", true, true]);
      expect(await variables.remove(project, one)).toBe(true);
      expect(await variables.remove(project, one)).toBe(false);
      expect((await ofProject()).map(([scope]) => scope)).toEqual(["*"]);
    },
  );

  testOfVariables(
    "a developer may neither set nor remove a variable, and a refused value is not repeated",
    async () => {
      const { project } = await freshProject({ a: "1" });
      const { token } = await stage().createUser(`contract-developer-${counter}`);
      await stage().addMember(project.path, `contract-developer-${counter}`, developer);
      const change = { token, key: "TOKEN", scope: "*", value: "whatever-it-is" };
      const { variables } = stage().forge;
      await expect(variables.set(project, change)).rejects.toMatchObject({ code: "FORGE_FORBIDDEN" });
      await expect(variables.remove(project, change)).rejects.toMatchObject({ code: "FORGE_FORBIDDEN" });
      await stage().addMember(project.path, `contract-developer-${counter}`, 40);
      const tooLong = { ...change, value: "whatever-it-is".repeat(1_000) };
      const refused = await variables.set(project, tooLong).catch((error: unknown) => error as Error);
      expect(refused).toMatchObject({ code: "VARIABLE_REFUSED" });
      expect(String(refused)).not.toContain("whatever");
    },
  );

  test("git can fetch with what the forge gives", async () => {
    const { project, head } = await freshProject({ a: "1" });
    const access = stage().forge.gitAccess(project);
    const authorization = `Basic ${Buffer.from(`${access.username}:${access.password}`).toString("base64")}`;
    const advertised = await fetch(`${access.url}/info/refs?service=git-upload-pack`, {
      headers: { authorization },
    });
    expect(advertised.status).toBe(200);
    expect(await advertised.text()).toContain(head);
    expect(access.url).not.toContain(access.password);
  });
}
