import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { createLogger } from "#core/logger";
import { type RunningForge, startForge } from "#embedded/forge/start-forge";
import type { Forge, ForgeProject } from "../forge.ts";
import { type ForgeStage, forgeContract } from "../forge-contract.ts";
import { type MergeRequestStage, mergeRequestContract } from "../merge-request-contract.ts";
import { GitLabForge } from "./gitlab-forge.ts";

let running: RunningForge;
let folder: string;
let adminToken: string;
let stage: ForgeStage;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "gitlab-forge-"));
  running = await startForge({ dataFolder: folder, logger: createLogger("forge", "silent") });
  const { admin } = running;
  await admin.ensureUser({ username: "root", name: "Root", admin: true });
  await admin.ensureUser({ username: "dtaas-bot", name: "DTaaS" });
  await admin.ensureGroup("contract");
  await admin.ensureMember("contract", "dtaas-bot", 40);
  adminToken = await admin.ensureToken("root", "admin", ["api"]);
  const token = await admin.ensureToken("dtaas-bot", "platform", ["api", "write_repository"]);
  stage = {
    forge: new GitLabForge({ url: `${running.url}/`, token }),
    withBadToken: new GitLabForge({ url: running.url, token: "glpat-never-was-good" }),
    group: "contract",
    createProject: async (path) => void (await admin.ensureProject(path, { visibility: "private" })),
    archiveProject: async (path) => void (await api("POST", `projects/${encodeURIComponent(path)}/archive`)),
    push: async (path, files) => {
      const project = `projects/${encodeURIComponent(path)}/repository`;
      const actions = await Promise.all(
        Object.entries(files).map(async ([file_path, content]) => {
          const there = await fetch(
            `${running.url}/api/v4/${project}/files/${encodeURIComponent(file_path)}?ref=main`,
            {
              headers: { "private-token": adminToken },
            },
          );
          return { action: there.ok ? "update" : "create", file_path, content };
        }),
      );
      const body = { branch: "main", commit_message: "change", actions };
      return String((await api("POST", `${project}/commits`, body))["id"]);
    },
    read: async (path, commit, file) => {
      const at = `projects/${encodeURIComponent(path)}/repository/files/${encodeURIComponent(file)}/raw`;
      const answer = await fetch(`${running.url}/api/v4/${at}?ref=${commit}`, {
        headers: { "private-token": adminToken },
      });
      if (!answer.ok) throw new Error(`${file} at ${commit}: ${answer.status}`);
      return Buffer.from(await answer.arrayBuffer());
    },
    files: async (path) => {
      const project = `projects/${encodeURIComponent(path)}/repository`;
      const tree = (await api("GET", `${project}/tree?recursive=true&per_page=100`)) as unknown as {
        type: string;
        path: string;
      }[];
      const files = tree
        .filter(({ type }) => type === "blob")
        .map(async (blob) => {
          const file = await api("GET", `${project}/files/${encodeURIComponent(blob.path)}?ref=main`);
          const content = Buffer.from(String(file["content"]), "base64");
          return [blob.path, { content, executable: file["execute_filemode"] === true }] as const;
        });
      return Object.fromEntries(await Promise.all(files));
    },
    commitsBetween: async (path, from, to) => {
      const project = `projects/${encodeURIComponent(path)}/repository`;
      return ((await api("GET", `${project}/compare?from=${from}&to=${to}`))["commits"] as unknown[]).length;
    },
    createUser: async (username) => {
      const user = await admin.ensureUser({ username, name: username });
      return { id: user.id, token: await admin.ensureToken(username, "test", ["api"]) };
    },
    addMember: (path, username, accessLevel) => admin.ensureMember(path, username, accessLevel),
    revokeTokens: async (username) => void (await admin.ensureToken(username, "test", ["api"])),
    addVariable: async (of, { key, value, scope = "*", isFile, isProtected, isHidden }) => {
      const base = "project" in of ? `projects/${encodeURIComponent(of.project)}` : `groups/${of.group}`;
      await api("POST", `${base}/variables`, {
        key,
        value,
        environment_scope: scope,
        variable_type: isFile ? "file" : "env_var",
        protected: isProtected ?? false,
        masked_and_hidden: isHidden ?? false,
      });
    },
    unprotect: async (path) => {
      await api("DELETE", `projects/${encodeURIComponent(path)}/protected_branches/main`);
    },
    readsGroup: (may) => admin.ensureMember("contract", "dtaas-bot", may ? 50 : 40),
    hooks: async (path) => {
      const hooks = await api("GET", `projects/${encodeURIComponent(path)}/hooks`);
      return (hooks as unknown as Record<string, unknown>[]).map((hook) => ({
        id: Number(hook["id"]),
        url: String(hook["url"]),
        events: ["push", "tag_push", "merge_requests", "note"].filter(
          (event) => hook[`${event}_events`] === true,
        ),
      }));
    },
    addHook: async (path, url, events) => {
      const body = {
        url,
        push_events: events.includes("push"),
        tag_push_events: events.includes("tag_push"),
      };
      await api("POST", `projects/${encodeURIComponent(path)}/hooks`, body);
    },
  };
});

afterAll(async () => {
  await running.close();
  await rm(folder, { recursive: true, force: true });
});

let projects = 0;

/** Merge requests as people make them on the host's pages: by branches, through the API. */
function gitLabMergeRequestStage(forge: Forge, ask: typeof api): MergeRequestStage {
  const of = (project: ForgeProject) => `projects/${project.id}`;
  return {
    forge: forge.mergeRequests,
    createProject: async (files) => {
      projects += 1;
      const path = `contract/reviewed-${projects}`;
      await running.admin.ensureProject(path, { visibility: "private" });
      await stage.push(path, files);
      return (await forge.project(path)) as ForgeProject;
    },
    propose: async (project, branch, files) => {
      const repository = `${of(project)}/repository`;
      const there = await fetch(`${running.url}/api/v4/${repository}/branches/${branch}`, {
        headers: { "private-token": adminToken },
      });
      const actions = Object.entries(files).map(([file_path, content]) => ({
        action: "update",
        file_path,
        content,
      }));
      const commit = await ask("POST", `${repository}/commits`, {
        ...{ branch, commit_message: "change", actions },
        ...(there.ok ? {} : { start_branch: "main" }),
      });
      const head = String(commit["id"]);
      if (there.ok) return { iid: 0, head };
      const body = { source_branch: branch, target_branch: "main", title: `Change of ${branch}` };
      return { iid: Number((await ask("POST", `${of(project)}/merge_requests`, body))["iid"]), head };
    },
    say: async (project, iid, body) => {
      await ask("POST", `${of(project)}/merge_requests/${iid}/notes`, { body });
    },
    resolve: async (project, iid, discussion) => {
      await ask("PUT", `${of(project)}/merge_requests/${iid}/discussions/${discussion}`, { resolved: true });
    },
    close: async (project, iid) => {
      await ask("PUT", `${of(project)}/merge_requests/${iid}`, { state_event: "close" });
    },
    token: async (project) => {
      await running.admin.ensureUser({ username: "proposer", name: "Proposer" });
      await running.admin.ensureMember(project.path, "proposer", 30);
      return await running.admin.ensureToken("proposer", "test", ["api"]);
    },
    makesResults: true,
  };
}

async function api(method: string, path: string, body?: unknown): Promise<Record<string, unknown>> {
  const response = await fetch(`${running.url}/api/v4/${path}`, {
    method,
    headers: { "private-token": adminToken, "content-type": "application/json" },
    body: body === undefined ? null : JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
  return response.status === 204 ? {} : ((await response.json()) as Record<string, unknown>);
}

forgeContract(() => stage);
mergeRequestContract(() => gitLabMergeRequestStage(stage.forge, api));

test("a group of more than one page is listed whole", async () => {
  await running.admin.ensureGroup("many");
  await running.admin.ensureMember("many", "dtaas-bot", 40);
  for (let n = 0; n < 105; n += 1)
    await running.admin.ensureProject(`many/user${n}`, { visibility: "private" });
  const listed = await stage.forge.listProjects("many");
  expect(new Set(listed.map(({ path }) => path)).size).toBe(105);
});

test("heads of 120 projects come in three calls; where the host has no GraphQL none are told, and nothing fails", async () => {
  await running.admin.ensureGroup("heads");
  await running.admin.ensureMember("heads", "dtaas-bot", 40);
  const made = await Promise.all(
    Array.from({ length: 120 }, (_, n) => running.admin.ensureProject(`heads/user${n}`)),
  );
  const head = await stage.push("heads/user7", { "README.md": "seven" });
  const projects = await stage.forge.listProjects("heads");
  const asked: string[] = [];
  const realFetch = globalThis.fetch;
  vi.stubGlobal("fetch", (url: URL, init: RequestInit) => {
    asked.push(new URL(url).pathname);
    return realFetch(url, init);
  });
  try {
    const heads = await stage.forge.heads(projects);
    expect(asked).toEqual(Array(3).fill("/api/graphql"));
    expect(heads.size).toBe(120);
    expect([...heads].filter(([, id]) => id !== undefined)).toEqual([
      [made.find(({ path }) => path === "user7")?.id, head],
    ]);

    const without = new GitLabForge({ url: `${running.url}/api/v4/nowhere`, token: adminToken });
    expect((await without.heads(projects)).size).toBe(0);
    const first = asked.length;
    expect((await without.heads(projects)).size).toBe(0);
    expect(asked.length).toBe(first); // not asked again at once
  } finally {
    vi.unstubAllGlobals();
  }
});
