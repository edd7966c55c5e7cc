import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DataFolder, dataFolder } from "#core/data-folder";
import { createLogger } from "#core/logger";
import { SerialByKey } from "#core/serial-by-key";
import type { ObservedTwin } from "#schemas/observed-state";
import { commitFiles, type FileInTree, GitHttpServer, runGitIn } from "#test/fixtures/git-http-server";
import { Mirrors } from "../../assets/mirrors.ts";
import { Rights } from "../../auth/rights.ts";
import type { CommitStatus, Forge, ForgeMember, ForgeProject } from "../../forge/forge.ts";
import { FakeMergeRequests } from "../../forge/testing/fake-merge-requests.ts";
import { diffLines } from "../../forge/unified-diff.ts";
import type { MergeRequestRef, PreviewState, Previews, PreviewsWanted } from "../../previews/previews.ts";
import { runArchive } from "../../reading/run-archive.ts";
import { DesiredDocuments } from "../../reconcile/desired-documents.ts";
import { HostNews } from "../../reconcile/host-news.ts";
import { reconcileProject } from "../../reconcile/reconcile-project.ts";
import { SharedReach } from "../../reconcile/shared-reach.ts";
import { SharedReaders } from "../../reconcile/shared-readers.ts";
import { Tracked } from "../../reconcile/tracked.ts";
import { RequestBook } from "../../requests/request-book.ts";
import { ReviewMemories } from "../review-memory.ts";
import { type ReviewDeps, reviewMergeRequest } from "../review-merge-request.ts";

export type Files = Record<string, string | FileInTree>;

interface Person {
  id: number;
  username: string;
}

export const people = {
  bot: { id: 1, username: "dtaas-bot" },
  user1: { id: 2, username: "user1" },
  user2: { id: 3, username: "user2" },
  reporter: { id: 4, username: "reporter" },
  stranger: { id: 5, username: "stranger" },
  admin: { id: 6, username: "admin" },
} as const satisfies Record<string, Person>;

/** Real repositories, mirrors and documents with merge requests in memory: everything of a review but the Git host's pages. */
export class ReviewWorld {
  readonly data: DataFolder;
  readonly mergeRequests = new FakeMergeRequests();
  readonly statuses: CommitStatus[] = [];
  /** What was asked of previews, newest last. */
  readonly wanted: PreviewsWanted[] = [];
  readonly removed: MergeRequestRef[] = [];
  states: PreviewState[] = [];
  /** Access levels by project and name. */
  readonly levels: Record<string, Record<string, number>> = {};
  readonly openToAll = new Set<string>();
  readonly observedTwins = new Map<string, ObservedTwin[]>();
  readonly #git: GitHttpServer;
  readonly #gitDirs = new Map<string, string>();
  readonly #ids = new Map<string, number>();
  readonly mirrors: Mirrors;
  readonly tracked: Tracked;
  readonly desired: DesiredDocuments;
  readers!: SharedReaders;
  nowMs = Date.parse("2026-01-01T01:00:00.000Z");

  private constructor(parts: {
    data: DataFolder;
    git: GitHttpServer;
    tracked: Tracked;
    desired: DesiredDocuments;
  }) {
    this.data = parts.data;
    this.#git = parts.git;
    this.tracked = parts.tracked;
    this.desired = parts.desired;
    this.mirrors = new Mirrors({ folder: parts.data.git, git: {} });
  }

  static async start(): Promise<ReviewWorld> {
    const data = dataFolder(await mkdtemp(join(tmpdir(), "dtaas-review-")));
    const git = await GitHttpServer.start(join(data.root, "host"));
    const fail = ({ error }: { error: unknown }) => {
      throw error;
    };
    const tracked = await Tracked.open("dtaas", data, fail);
    const desired = await DesiredDocuments.open(data, fail);
    const world = new ReviewWorld({ data, git, tracked, desired });
    world.readers = await SharedReaders.open(data, world.forge, createLogger("test", "silent"));
    return world;
  }

  async close(): Promise<void> {
    await this.#git.close();
    await rm(this.data.root, { recursive: true, force: true });
  }

  /** A project with its first commit, known to the platform. */
  async create(name: string, files: Files, members: Record<string, number> = {}): Promise<ForgeProject> {
    const path = name.includes("/") ? name : `dtaas/${name}`;
    this.#gitDirs.set(path, this.#git.create(path).gitDir);
    this.#ids.set(path, this.#ids.size + 1);
    this.levels[path] = { "dtaas-bot": 40, ...members };
    commitFiles(this.#dir(path), files);
    const project = this.project(path);
    await this.tracked.setProjects([...this.tracked.projects, project]);
    await this.reconcile(path);
    return project;
  }

  project(path: string): ForgeProject {
    return { id: this.#ids.get(path) ?? 0, path, defaultBranch: "main", webUrl: `http://forge.test/${path}` };
  }

  /** Puts exactly these files on the target branch, and lets the platform see it. */
  async push(project: ForgeProject, files: Files): Promise<string> {
    const commit = commitFiles(this.#dir(project.path), files);
    await this.reconcile(project.path);
    return commit;
  }

  /** Opens a merge request with exactly these files, or pushes them to the one with this number. */
  propose(
    project: ForgeProject,
    files: Files,
    more: { iid?: number; author?: Person; fromFork?: boolean; targetBranch?: string } = {},
  ): number {
    const dir = this.#dir(project.path);
    const main = runGitIn(dir, ["rev-parse", "refs/heads/main"]);
    const before =
      more.iid === undefined ? main : runGitIn(dir, ["rev-parse", `refs/merge-requests/${more.iid}/head`]);
    const tree = treeOf(dir, files);
    const head = runGitIn(dir, ["commit-tree", "-m", "propose", "-p", before, tree]);
    const { iid: known, ...rest } = more;
    const iid = known ?? this.mergeRequests.open({ project, head, ...rest });
    runGitIn(dir, ["update-ref", `refs/merge-requests/${iid}/head`, head]);
    this.remerge(project, iid, head);
    return iid;
  }

  /** As the host does after a push to either side: the merge result, and the diff. */
  remerge(project: ForgeProject, iid: number, head: string): void {
    const dir = this.#dir(project.path);
    const main = runGitIn(dir, ["rev-parse", "refs/heads/main"]);
    let mergeResult: string | undefined;
    try {
      const [tree = ""] = runGitIn(dir, ["merge-tree", "--write-tree", main, head]).split("\n");
      mergeResult = runGitIn(dir, ["commit-tree", "-m", "merge", "-p", main, "-p", head, tree]);
      runGitIn(dir, ["update-ref", `refs/merge-requests/${iid}/merge`, mergeResult]);
    } catch {
      mergeResult = undefined; // it conflicts
    }
    const base = runGitIn(dir, ["merge-base", main, head]);
    const names = runGitIn(dir, ["diff", "--name-only", "--diff-filter=d", base, head])
      .split("\n")
      .filter(Boolean);
    const files = names.map((path) => ({
      ...{ oldPath: path, newPath: path },
      lines: diffLines(runGitIn(dir, ["diff", base, head, "--", path])),
    }));
    this.mergeRequests.change(project, iid, { head, mergeResult, files });
  }

  async reconcile(path: string): Promise<void> {
    await reconcileProject(
      {
        ...{ forge: this.forge, mirrors: this.mirrors, tracked: this.tracked, readers: this.readers },
        reach: new SharedReach(),
        ...{ desired: this.desired, news: this.#news(path), serial: new SerialByKey() },
        snapshots: { ensure: async () => undefined },
        secrets: {
          read: async () => undefined,
          check: () => undefined,
          seal: async (_user, _project, twins) => ({ twins: [...twins], isNew: false }),
          forget: async () => undefined,
        },
        templates: ["base", "python"],
        logger: createLogger("test", "silent"),
        nudgeProject: () => undefined,
        nudgeUser: () => undefined,
      },
      path,
    );
  }

  /** Looks at a merge request as the worker does. */
  async review(project: ForgeProject, iid: number) {
    return await reviewMergeRequest(this.deps, { project: project.path, iid });
  }

  /** The texts of all notes of the platform. */
  async said(project: ForgeProject, iid: number): Promise<string[]> {
    const discussions = await this.mergeRequests.discussions(project, iid);
    return discussions.flatMap(({ notes }) => notes.filter(({ isOurs }) => isOurs).map(({ body }) => body));
  }

  /** The one comment. */
  async comment(project: ForgeProject, iid: number): Promise<string> {
    const comments = (await this.said(project, iid)).filter((body) =>
      body.startsWith("<!-- dtaas:review -->"),
    );
    if (comments.length !== 1) throw new Error(`${comments.length} comments`);
    return comments[0] ?? "";
  }

  get deps(): ReviewDeps {
    const { data, forge, mirrors, tracked, readers, desired } = this;
    const onUnreadable = (_path: string, error: unknown) => {
      throw error;
    };
    const runs = runArchive(data, onUnreadable);
    const observed = async (user: string) => {
      const twins = this.observedTwins.get(user);
      const { generation = 1 } = desired.get(user) ?? {};
      if (!twins) return undefined;
      return {
        version: 1 as const,
        user,
        generation,
        observedAt: "2026-01-01T00:00:00.000Z",
        twins,
        needs: [],
      };
    };
    const level = async (path: string, userId: number) => {
      const name = Object.values(people).find(({ id }) => id === userId)?.username ?? "";
      return this.levels[path]?.[name] ?? 0;
    };
    return {
      ...{ forge, mirrors, tracked, readers, desired, observed, runs },
      reach: new SharedReach(),
      logger: createLogger("test", "silent"),
      snapshots: { ensure: async () => undefined },
      templates: ["base", "python"],
      rights: new Rights({ level, project: async () => undefined }, "dtaas", async () => false),
      requests: new RequestBook({
        ...{ data, runs, documents: { desired: async (user) => desired.get(user) } },
        nudgeUser: async () => undefined,
        onNudgeFailed: () => undefined,
        onSetAside: () => undefined,
      }),
      previews: this.previews,
      memories: new ReviewMemories(data.reviews, ({ error }) => {
        throw error;
      }),
      nowMs: () => this.nowMs,
    };
  }

  readonly previews: Previews = {
    want: async (wanted) => void this.wanted.push(wanted),
    remove: async (of) => void this.removed.push(of),
    states: async () => this.states,
  };

  get forge(): Forge {
    const members = async (
      of: { project: string } | { group: string },
    ): Promise<ForgeMember[] | undefined> => {
      const levels = "project" in of ? this.levels[of.project] : undefined;
      return levels && Object.entries(levels).map(([username, accessLevel]) => ({ username, accessLevel }));
    };
    return {
      ...{ mergeRequests: this.mergeRequests, members },
      project: async (path: string) => (this.#ids.has(path) ? this.project(path) : undefined),
      isPrivate: async ({ path }: ForgeProject) => !this.openToAll.has(path),
      accessLevel: async ({ path }: ForgeProject, userId: number) => {
        const name = Object.values(people).find(({ id }) => id === userId)?.username ?? "";
        return this.levels[path]?.[name] ?? 0;
      },
      gitAccess: ({ path }: ForgeProject) => ({
        ...{ url: `${this.#git.origin}/${path}.git`, username: "oauth2", password: this.#git.password },
      }),
      setStatus: async (_project: ForgeProject, status: CommitStatus) => void this.statuses.push(status),
    } as unknown as Forge;
  }

  #news(path: string): HostNews {
    const news = new HostNews();
    news.note(path);
    return news;
  }

  #dir(path: string): string {
    const dir = this.#gitDirs.get(path);
    if (dir === undefined) throw new Error(`there is no ${path}`);
    return dir;
  }
}

function treeOf(gitDir: string, files: Files): string {
  const env = { GIT_INDEX_FILE: join(gitDir, "proposal-index") };
  runGitIn(gitDir, ["read-tree", "--empty"], { env });
  const lines = Object.entries(files).map(([path, file]) => {
    const { content, mode = "100644" } = typeof file === "string" ? { content: file } : file;
    return `${mode} ${runGitIn(gitDir, ["hash-object", "-w", "--stdin"], { input: content })}\t${path}`;
  });
  runGitIn(gitDir, ["update-index", "--add", "--index-info"], { input: `${lines.join("\n")}\n`, env });
  return runGitIn(gitDir, ["write-tree"], { env });
}
