import { ActionNeededError, messageOf, TryLaterError } from "#core/errors";
import type { Logger } from "#core/logger";
import type { Diagnostic } from "#schemas/diagnostic";
import type { Mirrors } from "../assets/mirrors.ts";
import { accessLevels } from "../auth/decide.ts";
import type { Forge, ForgeProject } from "../forge/forge.ts";
import type { Discussion, MergeRequest, MergeRequestDiff } from "../forge/forge-merge-requests.ts";
import type { Previews } from "../previews/previews.ts";
import { answerNotes, followRuns, type NoteDeps } from "./answer-notes.ts";
import type { CommandPlace } from "./commands/answer-command.ts";
import { type ReviewFindings, reviewComment, saysTheSame } from "./comment.ts";
import { fetchProposal } from "./fetch-proposal.ts";
import { type LookDeps, type Looked, lookAtProposal } from "./look-at-proposal.ts";
import { markOf } from "./marker.ts";
import { type PlanStatus, planStatus } from "./plan-status.ts";
import { planThreads } from "./plan-threads.ts";
import { previewsOf } from "./previews-of.ts";
import type { ReviewMemories, ReviewMemory } from "./review-memory.ts";
import { wantThreads } from "./want-threads.ts";

const maxThreads = 50; // on one merge request; further problems stand in the comment

export interface ReviewDeps extends Omit<LookDeps, "forge">, Omit<NoteDeps, "mergeRequests" | "desired"> {
  forge: Pick<
    Forge,
    ("project" | "gitAccess" | "isPrivate" | "members" | "accessLevel" | "setStatus") | "mergeRequests"
  >;
  mirrors: Mirrors;
  previews: Previews;
  memories: ReviewMemories;
  logger: Logger;
}

export interface ReviewOutcome {
  outcome: "applied" | "unchanged" | "refused" | "ignored";
  /** One sentence for people. */
  summary: string;
}

/**
 * Looks at one merge request and tells what was found, where reviewers look: one comment, a thread for each problem, a commit
 * status; and does what notes ask for. May be called at any time and any number of times; writes nothing twice.
 */
export async function reviewMergeRequest(
  deps: ReviewDeps,
  job: { project: string; iid: number },
): Promise<ReviewOutcome> {
  const { tracked, forge, memories } = deps;
  const project = tracked.project(job.project) ?? (await forge.project(job.project));
  if (!project || tracked.role(project.path).kind === "untracked") {
    return { outcome: "ignored", summary: "not a project of this platform" };
  }
  const mergeRequest = await forge.mergeRequests.show(project, job.iid);
  const known = await memories.get(project.id, job.iid);
  if (!mergeRequest && !known) return { outcome: "ignored", summary: `there is no !${job.iid}` };
  if (mergeRequest?.state !== "open") return await finish(deps, project, job.iid, mergeRequest?.state);
  if (mergeRequest.targetBranch !== project.defaultBranch) {
    return { outcome: "ignored", summary: `${mergeRequest.targetBranch} is not the default branch` };
  }
  const fresh: ReviewMemory = {
    ...{
      projectPath: project.path,
      iid: job.iid,
      seenAt: null,
      status: null,
      notes: [],
      runs: [],
      preview: null,
    },
  };
  return await new Review(deps, project, mergeRequest, known ?? fresh).look();
}

/** It is merged, closed or gone: nothing of it stays. */
async function finish(
  deps: ReviewDeps,
  project: ForgeProject,
  iid: number,
  state: MergeRequest["state"] | undefined,
): Promise<ReviewOutcome> {
  await deps.previews.remove({ projectId: project.id, projectPath: project.path, iid });
  await deps.mirrors.forgetMergeRequest(project.id, iid);
  await deps.memories.remove(project.id, iid);
  return { outcome: "applied", summary: `!${iid} is ${state ?? "gone"}` };
}

/** One look at one merge request. */
class Review {
  readonly #deps: ReviewDeps;
  readonly #project: ForgeProject;
  readonly #mergeRequest: MergeRequest;
  #memory: ReviewMemory;
  #writes = 0;

  constructor(deps: ReviewDeps, project: ForgeProject, mergeRequest: MergeRequest, memory: ReviewMemory) {
    this.#deps = deps;
    this.#project = project;
    this.#mergeRequest = mergeRequest;
    this.#memory = memory;
  }

  async look(): Promise<ReviewOutcome> {
    const { forge, tracked } = this.#deps;
    const [project, mergeRequest] = [this.#project, this.#mergeRequest];
    const { iid, head } = mergeRequest;
    if (this.#memory.status?.commit !== head)
      await this.#tell({ state: "pending", description: "being looked at" });
    const fromOutside = await this.#isFromOutside();
    const proposal = await this.#propose(fromOutside);
    const discussions = await forge.mergeRequests.discussions(project, iid);
    const diff = await forge.mergeRequests.diff(project, iid);
    if (diff.version.head !== head) throw moved(iid);
    const findings = { ...proposal, ...proposal.looked, targetBranch: mergeRequest.targetBranch };
    const status = planStatus(findings);

    const askedBefore = this.#memory.preview;
    await this.#answer(discussions, {
      ...{ project, mergeRequest, fromOutside, headSince: diff.since, verdict: status.description },
      user: this.#user,
      changedTwins: (findings.plan?.changes ?? []).map(({ twin }) => twin),
    });
    const { commit, refusal } = proposal;
    const { preview } = this.#memory;
    const policy = tracked.platform?.twinsFromMergeRequests;
    const asked = { project, mergeRequest, fromOutside, preview, again: preview !== askedBefore, policy };
    const { states, remark } = await previewsOf(
      this.#deps.previews,
      asked,
      refusal === undefined ? commit : undefined,
    );
    const unthreaded = await this.#saveThreads(discussions, diff, {
      ...{ problems: findings.problems, commit, refusal },
    });
    await this.#saveComment(discussions, {
      ...{ ...findings, unthreaded, previews: states },
      ...(remark === undefined ? {} : { previewRemark: remark }),
    });
    await this.#tell(status);
    await this.#remember({ ...this.#memory, seenAt: mergeRequest.updatedAt });
    return {
      outcome: refusal !== undefined ? "refused" : this.#writes > 0 ? "applied" : "unchanged",
      summary: `!${iid}: ${status.description}`,
    };
  }

  get #user(): string | undefined {
    const role = this.#deps.tracked.role(this.#project.path);
    return role.kind === "user" ? role.user : undefined;
  }

  /** From a fork, or by somebody who may not run anything here: it is looked at, and nothing of it runs unasked. */
  async #isFromOutside(): Promise<boolean> {
    const { fromFork, author } = this.#mergeRequest;
    if (fromFork) return true;
    return (await this.#deps.forge.accessLevel(this.#project, author.id)) < accessLevels.developer;
  }

  /** What it would make, looked at; a repository that cannot be read is a finding of its own. */
  async #propose(
    fromOutside: boolean,
  ): Promise<{ commit: string; isMergeResult: boolean; refusal?: string; looked: Looked }> {
    const { head } = this.#mergeRequest;
    try {
      const proposal = await fetchProposal(this.#deps, this.#project, this.#mergeRequest);
      const proposed = { project: this.#project, commit: proposal.commit, fromOutside };
      return { ...proposal, looked: await lookAtProposal(this.#deps, proposed) };
    } catch (error) {
      const isOurs = error instanceof ActionNeededError && error.code.startsWith("FORGE_");
      if (!(error instanceof ActionNeededError) || isOurs) throw error;
      const refusal = `${error.message}${error.hint === undefined ? "" : `. ${error.hint}`}`;
      return { commit: head, isMergeResult: false, refusal, looked: nothingSeen };
    }
  }

  async #answer(discussions: readonly Discussion[], place: CommandPlace): Promise<void> {
    const { forge, desired, ...rest } = this.#deps;
    const deps = {
      ...rest,
      mergeRequests: forge.mergeRequests,
      desired: (user: string) => desired.get(user),
    };
    const remember = (memory: ReviewMemory) => this.#remember(memory);
    this.#memory = await answerNotes(deps, place, discussions, this.#memory, remember);
    const where = { project: this.#project, iid: this.#mergeRequest.iid };
    const runs = await followRuns(deps, where, discussions, this.#memory.runs);
    if (runs.length !== this.#memory.runs.length) await this.#remember({ ...this.#memory, runs });
  }

  /** Resolves with the problems that stand in no thread. */
  async #saveThreads(
    discussions: readonly Discussion[],
    diff: MergeRequestDiff,
    {
      problems,
      commit,
      refusal,
    }: { problems: readonly Diagnostic[]; commit: string; refusal: string | undefined },
  ): Promise<readonly Diagnostic[]> {
    if (refusal !== undefined) return problems; // nothing is known: threads stay as they are
    const { forge, mirrors } = this.#deps;
    const [project, { iid, head }] = [this.#project, this.#mergeRequest];
    const commits = { projectId: project.id, commit, head };
    const wanted = await wantThreads(mirrors, commits, problems.slice(0, maxThreads));
    const plan = planThreads(wanted, discussions, diff);
    const unthreaded = new Set([...plan.unthreaded, ...problems.slice(maxThreads)]);
    for (const step of plan.steps) {
      this.#writes += 1;
      if (step.kind === "say") {
        const said = await forge.mergeRequests.say(project, iid, step.note);
        if (said === undefined) unthreaded.add(step.diagnostic);
      } else if (step.kind === "edit") await forge.mergeRequests.edit(project, iid, step);
      else await forge.mergeRequests.resolve(project, iid, step);
    }
    return problems.filter((problem) => unthreaded.has(problem));
  }

  async #saveComment(discussions: readonly Discussion[], findings: ReviewFindings): Promise<void> {
    const { mergeRequests } = this.#deps.forge;
    const { iid } = this.#mergeRequest;
    const body = reviewComment(findings);
    const there = discussions.find(({ notes: [first] }) => first?.isOurs && markOf(first.body) === "review");
    const [note] = there?.notes ?? [];
    if (there && note) {
      if (saysTheSame(note.body, body)) return;
      await mergeRequests.edit(this.#project, iid, { discussion: there.id, note: note.id, body });
    } else await mergeRequests.say(this.#project, iid, { body });
    this.#writes += 1;
  }

  /** The commit status; a host that takes none, as for commits of a fork, leaves the comment. */
  async #tell(status: PlanStatus): Promise<void> {
    const { forge, logger } = this.#deps;
    const { head, iid, sourceBranch, fromFork } = this.#mergeRequest;
    const before = this.#memory.status;
    if (before?.commit === head && before.state === status.state && before.description === status.description)
      return;
    const ref = fromFork ? `refs/merge-requests/${iid}/head` : sourceBranch;
    try {
      await forge.setStatus(this.#project, { commit: head, ref, name: "dtaas/plan", ...status });
    } catch (error) {
      if (!(error instanceof ActionNeededError) || error.code.startsWith("FORGE_")) throw error;
      logger.info(
        { project: this.#project.path, iid, err: messageOf(error) },
        "no status for a merge request",
      );
    }
    await this.#remember({ ...this.#memory, status: { commit: head, ...status } });
  }

  async #remember(memory: ReviewMemory): Promise<void> {
    await this.#deps.memories.put(this.#project.id, memory);
    this.#memory = memory;
  }
}

const nothingSeen: Looked = {
  ...{ knownErrors: 0, brokenOthers: { named: [], unnamed: 0 }, touched: { named: [], unnamed: 0 } },
  ...{
    twinsValidated: 0,
    usersLeftOut: 0,
    images: [],
    assets: [],
    widening: [],
    observedAt: undefined,
    problems: [],
  },
};

/** The next look sees the head and its diff together. */
function moved(iid: number): TryLaterError {
  return new TryLaterError(`The diff of !${iid} is not that of its head yet`, { retryAfterMs: 2_000 });
}
