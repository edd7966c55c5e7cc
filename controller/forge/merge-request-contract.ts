import { expect, test } from "vitest";
import type { ForgeProject } from "./forge.ts";
import type { Discussion, ForgeMergeRequests, NewNote } from "./forge-merge-requests.ts";

/** Merge requests that the contract can be tried on; the administrator's doings are somebody else's than ours. */
export interface MergeRequestStage {
  forge: ForgeMergeRequests;
  createProject(files: Record<string, string>): Promise<ForgeProject>;
  /** Changes files on a branch, and opens a merge request for it where there is none (`iid: 0` where there is). */
  propose(
    project: ForgeProject,
    branch: string,
    files: Record<string, string>,
  ): Promise<{ iid: number; head: string }>;
  say(project: ForgeProject, iid: number, body: string): Promise<void>;
  resolve(project: ForgeProject, iid: number, discussion: string): Promise<void>;
  close(project: ForgeProject, iid: number): Promise<void>;
  /** Of somebody who may propose to the project. */
  token(project: ForgeProject): Promise<string>;
  /** Merge results are made by itself. */
  makesResults: boolean;
}

const text = "one\ntwo\nthree\nfour\nfive\nsix\nseven\neight\nnine\nten\n";

/** What every adapter of `ForgeMergeRequests` promises; register it inside a test file with a stage that is ready then. */
export function mergeRequestContract(stage: () => MergeRequestStage): void {
  async function proposed(): Promise<{
    project: ForgeProject;
    iid: number;
    head: string;
    forge: ForgeMergeRequests;
  }> {
    const { forge, createProject, propose } = stage();
    const project = await createProject({ "a.txt": text, "b.txt": "b\n" });
    const { iid, head } = await propose(project, "change", { "a.txt": text.replace("two\n", "zwei\n") });
    return { project, iid, head, forge };
  }

  const atLine = async (forge: ForgeMergeRequests, project: ForgeProject, iid: number, line: number) => {
    const { version, files } = await forge.diff(project, iid);
    const [file] = files;
    if (!file) throw new Error("the diff is empty");
    const { oldPath, newPath, lines } = file;
    return { version, oldPath, newPath, line, oldLine: lines.get(line) } satisfies NewNote["at"];
  };

  test("an open merge request is listed and shown, a closed one is no longer open", async () => {
    const { project, iid, head, forge } = await proposed();
    const shown = await forge.show(project, iid);
    expect(shown).toMatchObject({
      ...{ projectId: project.id, iid, state: "open", sourceBranch: "change", targetBranch: "main" },
      ...{ fromFork: false, head, webUrl: expect.stringContaining("http") },
    });
    expect(await forge.listOpen({ project: project.path })).toMatchObject([{ iid, head }]);
    const group = project.path.split("/")[0] ?? "";
    const ofGroup = await forge.listOpen({ group });
    expect(ofGroup.some((one) => one.projectId === project.id && one.iid === iid)).toBe(true);
    await stage().close(project, iid);
    expect(await forge.listOpen({ project: project.path })).toEqual([]);
    expect(await forge.show(project, iid)).toMatchObject({ state: "closed" });
    expect(await forge.mergeResult(project, iid)).toBeUndefined();
    expect(await forge.show(project, 4711)).toBeUndefined();
  });

  test("a push moves the head, the diff and the time it was touched", async () => {
    const { project, iid, forge } = await proposed();
    const before = await forge.show(project, iid);
    const { head } = await stage().propose(project, "change", { "b.txt": "c\n" });
    expect(await forge.show(project, iid)).toMatchObject({ head });
    expect((await forge.show(project, iid))?.updatedAt).not.toBe(before?.updatedAt);
    const { version, since, files } = await forge.diff(project, iid);
    expect(version.head).toBe(head);
    expect(Date.parse(since)).toBeGreaterThan(0);
    expect(files.map(({ newPath }) => newPath).sort()).toEqual(["a.txt", "b.txt"]);
  });

  test("the diff tells added lines and those that it only shows", async () => {
    const { project, iid, forge } = await proposed();
    const { files } = await forge.diff(project, iid);
    const lines = files.find(({ newPath }) => newPath === "a.txt")?.lines;
    expect([lines?.has(2), lines?.get(2)]).toEqual([true, undefined]);
    expect(lines?.get(3)).toBe(3);
    expect(lines?.has(9)).toBe(false);
  });

  test("a thread stands on its line; it is edited, resolved by us and opened again", async () => {
    const { project, iid, forge } = await proposed();
    for (const line of [2, 3]) {
      const said = await forge.say(project, iid, {
        body: `line ${line}\n\nmore`,
        at: await atLine(forge, project, iid, line),
      });
      expect(said).toBeGreaterThan(0);
    }
    const [first, second] = await forge.discussions(project, iid);
    expect([first?.notes[0], second?.notes[0]]).toMatchObject([
      { body: "line 2\n\nmore", isOurs: true },
      { body: "line 3\n\nmore", isOurs: true },
    ]);
    const { id: discussion = "", notes = [] } = first ?? ({} as Partial<Discussion>);
    await forge.edit(project, iid, { discussion, note: notes[0]?.id ?? 0, body: "edited" });
    await forge.resolve(project, iid, { discussion, resolved: true });
    const at = async () => (await forge.discussions(project, iid)).find(({ id }) => id === discussion);
    expect(await at()).toMatchObject({ isThread: true, isResolved: true, resolvedByUs: true });
    expect((await at())?.notes[0]?.body).toBe("edited");
    await forge.resolve(project, iid, { discussion, resolved: false });
    expect(await at()).toMatchObject({ isResolved: false, resolvedByUs: false });
    await stage().resolve(project, iid, discussion);
    expect(await at()).toMatchObject({ isResolved: true, resolvedByUs: false });
  });

  test("a line that the host does not take is no error", async () => {
    const { project, iid, forge } = await proposed();
    const at = await atLine(forge, project, iid, 2);
    const away = { ...at, newPath: "nowhere.txt", oldPath: "nowhere.txt" };
    expect(await forge.say(project, iid, { body: "x", at: away })).toBeUndefined();
    expect(await forge.discussions(project, iid)).toEqual([]);
  });

  test("what others say is theirs; an answer stands below it; what was said touches the merge request", async () => {
    const { project, iid, forge } = await proposed();
    await forge.say(project, iid, { body: "a word of ours" });
    expect(await forge.discussions(project, iid)).toMatchObject([
      { isThread: false, notes: [{ isOurs: true }] },
    ]);
    await stage().say(project, iid, "/dtaas help");
    const before = await forge.show(project, iid);
    const [, asked] = await forge.discussions(project, iid);
    expect(asked?.notes).toMatchObject([{ body: "/dtaas help", isOurs: false }]);
    await forge.say(project, iid, { body: "here", discussion: asked?.id ?? "" });
    const after = await forge.discussions(project, iid);
    expect(after).toHaveLength(2);
    expect(after[1]?.notes.map(({ body, isOurs }) => [body, isOurs])).toEqual([
      ["/dtaas help", false],
      ["here", true],
    ]);
    expect((await forge.show(project, iid))?.updatedAt).not.toBe(before?.updatedAt);
  });

  test("a proposal with somebody's own token is made once; of a branch that is not there it is refused", async () => {
    const { project, forge } = await proposed();
    const token = await stage().token(project);
    const wish = { token, sourceBranch: "change-2", title: "Another", description: "why\n" };
    await expect(forge.create(project, { ...wish, sourceBranch: "nowhere" })).rejects.toMatchObject({
      code: "MERGE_REQUEST_REFUSED",
    });
    const { iid } = await stage().propose(project, "change-2", { "b.txt": "c\n" });
    const again = await forge.create(project, wish);
    expect(again).toMatchObject({ iid, sourceBranch: "change-2" });
  });

  test("the result of merging is told while it can be made, and follows a push", async () => {
    if (!stage().makesResults) return;
    const { project, iid, forge } = await proposed();
    const first = await forge.mergeResult(project, iid);
    expect(first).toMatch(/^[0-9a-f]{40}$/);
    await stage().propose(project, "change", { "b.txt": "c\n" });
    expect(await forge.mergeResult(project, iid)).not.toBe(first);
    await stage().propose(project, "main", { "b.txt": "conflict\n" });
    expect(await forge.mergeResult(project, iid)).toBeUndefined();
  });
}
