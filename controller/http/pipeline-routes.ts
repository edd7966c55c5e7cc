import type { Request, Response } from "express";
import { ActionNeededError } from "#core/errors";
import type { Items } from "#schemas/api";
import type { PipelineJobView, PipelineTree, PipelineView } from "#schemas/pipelines";
import type { Caller } from "../auth/caller.ts";
import type { Memberships } from "../auth/memberships.ts";
import { callerOf } from "../auth/requires.ts";
import type { Rights } from "../auth/rights.ts";
import type { ForgeProject } from "../forge/forge.ts";
import type { ForgePipelines, JobChange, Pipeline, PipelineChange } from "../forge/forge-pipelines.ts";
import type { TraceReader } from "../pipelines/follow-trace.ts";
import { readNewPipeline } from "../pipelines/new-pipeline.ts";
import type { PipelineWatch } from "../pipelines/pipeline-watch.ts";
import { type PipelineAt, readTree, toJobView } from "../pipelines/read-tree.ts";
import type { ApiRoute } from "./api-route.ts";
import { eventWriter, type Streams } from "./event-stream.ts";
import { noUser } from "./not-there.ts";
import { badRequest, limitQuery, nameIn, oneQuery } from "./read-request.ts";

const defaultPerPage = 20;
const maxPerPage = 100; // what GitLab gives at once
const maxBodyBytes = 2 * 1024 * 1024; // a hundred variables of the longest
const traceKinds = ["text/plain", "text/event-stream"] as const;

export interface PipelineRouteDeps {
  pipelines: ForgePipelines;
  watch: PipelineWatch;
  traces: TraceReader;
  memberships: Pick<Memberships, "project">;
  rights: Pick<Rights, "decide" | "projectOf">;
  streams: Streams;
}

interface Asked {
  user: string;
  project: ForgeProject;
  caller: Caller;
}

/**
 * Pipelines of a user's project on the Git host. Every question and change is made with the caller's own token, so the
 * host decides, too; what is followed is looked at with the platform's, while the caller may see it.
 */
export function pipelineRoutes(deps: PipelineRouteDeps): ApiRoute[] {
  const base = "/users/{user}/pipelines";
  const see = { action: "see-pipelines", resource: "user" } as const;
  const run = { action: "run-pipelines", resource: "user" } as const;
  const { pipelines } = deps;

  const asked = async (request: Request, response: Response): Promise<Asked> => {
    const user = nameIn(request, "user");
    const project = await deps.memberships.project(deps.rights.projectOf(user));
    if (!project) throw noUser(user);
    return { user, project, caller: callerOf(response) };
  };
  const treeOf = async ({ user, project, caller }: Asked, id: number): Promise<PipelineTree> => {
    const at: PipelineAt = { user, project, id, token: caller.token };
    const tree = await readTree(pipelines, at);
    if (tree) return tree;
    throw new ActionNeededError("PIPELINE_NOT_FOUND", `${project.path} has no pipeline ${id}`, {
      hint: `list them: dtaas pipeline list --user ${user}`,
    });
  };
  const maySee = async ({ caller, project }: Asked) =>
    (await deps.rights.decide(caller, "see-pipelines", project.path)) === "allowed";

  const changePipeline = (change: PipelineChange["change"]): ApiRoute => ({
    method: "post",
    path: `${base}/{id}/${change}`,
    ...run,
    handle: async (request, response) => {
      const who = await asked(request, response);
      const id = idIn(request, "id");
      await treeOf(who, id); // a child is changed by its own id, too; another project's is not there
      await pipelines.change(who.project, { token: who.caller.token, pipeline: id, change });
      deps.watch.changed(who.project.id);
      response.json((await treeOf(who, id)) satisfies PipelineTree);
    },
  });
  const changeJob = (change: JobChange["change"]): ApiRoute => ({
    method: "post",
    path: `/users/{user}/jobs/{id}/${change}`,
    ...run,
    handle: async (request, response) => {
      const who = await asked(request, response);
      const job = idIn(request, "id");
      const changed = await pipelines.changeJob(who.project, { token: who.caller.token, job, change });
      if (!changed) throw noJob(who, job);
      deps.watch.changed(who.project.id);
      response.json(toJobView(changed) satisfies PipelineJobView);
    },
  });

  return [
    {
      method: "get",
      path: base,
      ...see,
      handle: async (request, response) => {
        const { user, project, caller } = await asked(request, response);
        const ref = oneQuery(request, "ref");
        const limit = limitQuery(request, defaultPerPage, maxPerPage);
        const page = { token: caller.token, limit, ...(ref === undefined ? {} : { ref }) };
        const items = (await pipelines.list(project, page)).map((one) => toView(user, one));
        response.json({ items } satisfies Items<PipelineView>);
      },
    },
    {
      method: "post",
      path: base,
      ...run,
      body: maxBodyBytes,
      handle: async (request, response) => {
        const who = await asked(request, response);
        const { user, project, caller } = who;
        const wish = readNewPipeline(request.body ?? {}, project.defaultBranch ?? "main");
        const made = await pipelines.run(project, { token: caller.token, ...wish });
        response
          .status(201)
          .location(`/api/v1/users/${encodeURIComponent(user)}/pipelines/${made.id}`)
          .json(toView(user, made) satisfies PipelineView);
      },
    },
    {
      method: "get",
      path: `${base}/{id}`,
      ...see,
      handle: async (request, response) => {
        const who = await asked(request, response);
        response.json((await treeOf(who, idIn(request, "id"))) satisfies PipelineTree);
      },
    },
    {
      method: "get",
      path: `${base}/{id}/events`,
      ...see,
      handle: async (request, response) => {
        const who = await asked(request, response);
        const id = idIn(request, "id");
        const { state } = await treeOf(who, id);
        const stream = deps.streams.open(response, "text/event-stream; charset=utf-8");
        const write = eventWriter(stream);
        let last = { state, version: request.get("Last-Event-ID") ?? "" };
        for await (const { tree, version } of deps.watch.follow({ ...who, id }, stream.signal)) {
          if (!(await maySee(who))) return stream.close();
          if (version !== last.version) await write({ id: version, event: "pipeline", data: tree });
          last = { state: tree.state, version };
        }
        if (!stream.signal.aborted) await write({ event: "end", data: { state: last.state } });
        stream.close();
      },
    },
    changePipeline("cancel"),
    changePipeline("retry"),
    changeJob("play"),
    changeJob("cancel"),
    changeJob("retry"),
    {
      method: "get",
      path: "/users/{user}/jobs/{id}/log",
      ...see,
      handle: async (request, response) => {
        const who = await asked(request, response);
        const job = idIn(request, "id");
        const kind = request.accepts([...traceKinds]);
        if (!kind) throw new ActionNeededError("NOT_ACCEPTABLE", `a log comes as ${traceKinds.join(", ")}`);
        if (!(await pipelines.job(who.project, job, who.caller.token))) throw noJob(who, job);
        const isEvents = kind === "text/event-stream";
        const follow = isEvents || oneQuery(request, "follow") === "true";
        const offset = offsetOf(request);
        const stream = deps.streams.open(response, `${kind}; charset=utf-8`);
        const write = isEvents ? eventWriter(stream) : undefined;
        const lines = deps.traces.lines({ project: who.project, job, offset, follow, signal: stream.signal });
        let next = await lines.next();
        for (; !next.done && (await maySee(who)); next = await lines.next()) {
          const { text, offset: behind } = next.value;
          if (write) await write({ id: String(behind), data: { text } });
          else await stream.write(`${text}\n`);
        }
        if (!next.done) await lines.return(undefined);
        else if (write && !stream.signal.aborted) {
          await write({ event: "end", data: { state: next.value ?? null } });
        }
        stream.close();
      },
    },
  ];
}

function toView(user: string, pipeline: Pipeline): PipelineView {
  const { id, ref, commit, state, source, createdAt, webUrl } = pipeline;
  return { id, user, ref, commit, state, source, createdAt, webUrl };
}

function idIn(request: Request, name: string): number {
  const value = request.params[name];
  if (typeof value === "string" && /^[1-9]\d{0,14}$/.test(value)) return Number(value);
  throw new ActionNeededError("NOT_FOUND", "there is no such thing, or you may not see it");
}

function noJob({ user, project }: Asked, job: number): ActionNeededError {
  return new ActionNeededError("JOB_NOT_FOUND", `${project.path} has no job ${job}`, {
    hint: `dtaas pipeline show <pipeline> --user ${user} lists the jobs of a pipeline`,
  });
}

function offsetOf(request: Request): number {
  const text = request.get("Last-Event-ID") || oneQuery(request, "after") || "0";
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw badRequest("after must be the id of an earlier line");
}
