import { expect, test } from "vitest";
import type { Forge, ForgeProject } from "./forge.ts";
import type { MergeRequest } from "./forge-merge-requests.ts";
import { eventOf, idsPerHost } from "./host-names.ts";
import { twoHosts } from "./two-hosts.ts";

const project: ForgeProject = {
  id: 7,
  path: "acme/common",
  defaultBranch: "main",
  webUrl: "https://github.com/acme/common",
};
const far: ForgeProject = { ...project, id: idsPerHost + 7, path: "github.com/acme/common" };
const near: ForgeProject = { ...project, path: "dtaas/user1" };
const mergeRequest = { projectId: 7, iid: 1, author: { id: 2, username: "user1" } } as MergeRequest;

/** Two hosts that know the same ids and names, and say who was asked. */
function stage(): { forge: Forge; asked: string[] } {
  const asked: string[] = [];
  const host = (name: string, kind: "gitlab" | "github") =>
    ({
      hostOf: () => ({ kind, name: undefined }),
      project: async (path: string) =>
        path === project.path || name === "near" ? { ...project, path } : undefined,
      head: async ({ id, path }: ForgeProject) => `${name} ${id} ${path}`,
      heads: async (projects: ForgeProject[]) => new Map(projects.map(({ id }) => [id, name])),
      accessLevel: async (_of: ForgeProject, userId: number) => (userId === 2 ? 40 : 0),
      members: async () => [{ username: "user1", accessLevel: 40 }],
      findUser: async (username: string) => ({ id: 2, username, name }),
      whoIs: async (token: string) => void asked.push(`${name} ${token}`),
      commit: async (_of: ForgeProject, { token }: { token: string }) => {
        asked.push(`${name} ${token}`);
        return { commit: name };
      },
      gitAccess: ({ path }: ForgeProject) => ({
        url: `https://${name}/${path}.git`,
        username: "x",
        password: name,
      }),
      mergeRequests: { show: async () => mergeRequest },
      variables: {
        list: async () => ({ variables: [], unreadable: ["acme"], defaultBranchIsProtected: false }),
      },
    }) as unknown as Forge;
  const forge = twoHosts({
    users: host("near", "gitlab"),
    further: { name: "github.com", forge: host("far", "github") },
  });
  return { forge, asked };
}

test("what begins with the further host's name is there, with ids of its own; everything else is where users are", async () => {
  const { forge } = stage();
  expect(await forge.project(far.path)).toEqual(far);
  expect(await forge.project("github.com/acme/nowhere")).toBeUndefined();
  expect(await forge.project(near.path)).toEqual(near);
  expect(await forge.project("github.community/x")).toMatchObject({ id: 7 });
  expect([await forge.head(far), await forge.head(near)]).toEqual([
    "far 7 acme/common",
    "near 7 dtaas/user1",
  ]);
  expect(await forge.heads([far, near])).toEqual(
    new Map([
      [far.id, "far"],
      [near.id, "near"],
    ]),
  );
  expect([forge.hostOf(far.id), forge.hostOf(near.id)]).toEqual([
    { kind: "github", name: "github.com" },
    { kind: "gitlab", name: undefined },
  ]);
  expect(forge.gitAccess(far)).toMatchObject({ url: "https://far/acme/common.git", password: "far" });
});

test("people of the two hosts are never taken for each other, whatever their names and ids are", async () => {
  const { forge } = stage();
  expect(await forge.accessLevel(near, 2)).toBe(40);
  expect(await forge.accessLevel(far, 2)).toBe(0);
  expect(await forge.accessLevel(near, idsPerHost + 2)).toBe(0);
  expect(await forge.members({ project: far.path })).toEqual([
    { username: "github.com/user1", accessLevel: 40 },
  ]);
  expect(await forge.members({ project: near.path })).toEqual([{ username: "user1", accessLevel: 40 }]);
  const shown = await forge.mergeRequests.show(far, 1);
  expect(shown).toMatchObject({
    projectId: far.id,
    author: { id: idsPerHost + 2, username: "github.com/user1" },
  });
  expect(await forge.accessLevel(far, shown?.author.id ?? 0)).toBe(40);
  expect(await forge.mergeRequests.show(near, 1)).toEqual(mergeRequest);
  expect(await forge.findUser("user1")).toMatchObject({ name: "near" });
});

test("no token of a caller goes to the further host", async () => {
  const { forge, asked } = stage();
  await forge.whoIs("of-a-caller");
  const commit = { token: "of-a-caller", message: "x", actions: [] };
  await expect(forge.commit(far, commit)).rejects.toMatchObject({ code: "FORGE_FORBIDDEN" });
  const change = { token: "of-a-caller", key: "A", scope: "*", value: "1" };
  await expect(forge.variables.set(far, change)).rejects.toMatchObject({ code: "FORGE_FORBIDDEN" });
  const wish = { token: "of-a-caller", sourceBranch: "x", title: "x", description: "" };
  await expect(forge.mergeRequests.create(far, wish)).rejects.toMatchObject({ code: "FORGE_FORBIDDEN" });
  expect(await forge.commit(near, commit)).toEqual({ commit: "near" });
  expect(asked.filter((line) => line.startsWith("far"))).toEqual([]);
});

test("events of the further host are about projects as we call them", () => {
  const host = { kind: "github", name: "github.com" } as const;
  const moved = { kind: "project-moved", projectId: 7, projectPath: "acme/b", from: "acme/a" } as const;
  expect(eventOf(host, moved)).toEqual({
    ...{
      kind: "project-moved",
      projectId: far.id,
      projectPath: "github.com/acme/b",
      from: "github.com/acme/a",
    },
  });
  expect(eventOf(host, { kind: "members-changed", of: "acme" })).toEqual({
    ...{ kind: "members-changed", of: "github.com/acme" },
  });
  expect(eventOf({ kind: "gitlab", name: undefined }, moved)).toBe(moved);
});
