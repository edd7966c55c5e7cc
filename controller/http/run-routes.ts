import { pipeline } from "node:stream/promises";
import type { Request, Response } from "express";
import { type DataFolder, runFolder } from "#core/data-folder";
import { ActionNeededError } from "#core/errors";
import type { AcceptedRun, Items, RunView, SavedOutputs } from "#schemas/api";
import type { RunOutcome } from "#schemas/run";
import type { Memberships } from "../auth/memberships.ts";
import { callerOf } from "../auth/requires.ts";
import type { Rights } from "../auth/rights.ts";
import type { Forge } from "../forge/forge.ts";
import type { JobRuns } from "../pipelines/job-runs.ts";
import type { RunArchive } from "../reading/run-archive.ts";
import { openOutput } from "../reading/run-outputs.ts";
import type { Asker, RequestBook } from "../requests/request-book.ts";
import { saveOutputs } from "../requests/save-outputs.ts";
import type { ApiRoute } from "./api-route.ts";
import { noRun } from "./not-there.ts";
import {
  badRequest,
  bodyField,
  bodyValue,
  idempotencyKey,
  limitQuery,
  oneQuery,
  runIn,
  twinIn,
} from "./read-request.ts";

const defaultRunsPerPage = 20;
const maxRunsPerPage = 200; // each costs three small reads

export interface RunRouteDeps {
  data: DataFolder;
  runs: RunArchive;
  requests: RequestBook;
  forge: Pick<Forge, "commitFiles">;
  memberships: Pick<Memberships, "project">;
  rights: Pick<Rights, "projectOf" | "mayUser">;
  publicUrl: string;
  jobRuns: Pick<JobRuns, "note">;
}

export function runRoutes(deps: RunRouteDeps): ApiRoute[] {
  const { data, runs, requests } = deps;
  const base = "/twins/{user}/{twin}/runs";
  const see = { action: "see", resource: "user" } as const;
  const operate = { action: "operate", resource: "user" } as const;
  return [
    {
      method: "get",
      path: base,
      ...see,
      handle: async (request, response) => {
        const { user, twin } = twinIn(request);
        const limit = limitQuery(request, defaultRunsPerPage, maxRunsPerPage);
        const before = oneQuery(request, "before");
        const items = await runs.list(user, twin, { limit, ...(before === undefined ? {} : { before }) });
        response.json({ items } satisfies Items<RunView>);
      },
    },
    {
      method: "post",
      path: base,
      ...operate,
      handle: async (request, response) => {
        const operation = bodyField(request, "operation", /^.{1,100}$/, "the name of an operation");
        const parameters = bodyValue(request, "parameters");
        const wish = { ...twinIn(request), operation, ...(parameters === undefined ? {} : { parameters }) };
        const asker = askerOf(request, response);
        const accepted = worktreeWish(request)
          ? await requests.runWorktree(wish, {
              ...asker,
              ...(await worktreeRights(deps, wish.user, response)),
            })
          : await requests.run(wish, asker);
        const { job } = callerOf(response);
        if (job) await deps.jobRuns.note(job, accepted);
        response.status(202).location(locationOf(accepted)).json(accepted);
      },
    },
    {
      method: "get",
      path: `${base}/{id}`,
      ...see,
      handle: async (request, response) => {
        const run = runIn(request);
        const found = await runs.get(run.user, run.twin, run.id);
        if (!found) throw noRun(run);
        response.json(found);
      },
    },
    {
      method: "delete",
      path: `${base}/{id}`,
      ...operate,
      handle: async (request, response) => {
        const { username } = callerOf(response).user;
        const {
          manifest: _manifest,
          result: _result,
          ...view
        } = await requests.cancel(runIn(request), username);
        response.status(202).json(view satisfies RunView);
      },
    },
    {
      method: "post",
      path: `${base}/{id}/rerun`,
      ...operate,
      handle: async (request, response) => {
        const accepted = await requests.rerun(runIn(request), askerOf(request, response));
        const { job } = callerOf(response);
        if (job) await deps.jobRuns.note(job, accepted);
        response.status(202).location(locationOf(accepted)).json(accepted);
      },
    },
    {
      method: "get",
      path: `${base}/{id}/outputs`,
      ...see,
      handle: async (request, response) => {
        const run = runIn(request);
        const found = await runs.get(run.user, run.twin, run.id);
        if (!found) throw noRun(run);
        response.json({ items: found.result?.outputs ?? [] } satisfies Items<RunOutcome["outputs"][number]>);
      },
    },
    {
      method: "post",
      path: `${base}/{id}/save`,
      action: "change-state",
      resource: "user",
      handle: async (request, response) => {
        const run = runIn(request);
        const branch = bodyField(request, "branch", /^.{1,200}$/, "the name of a branch");
        const project = await deps.memberships.project(deps.rights.projectOf(run.user));
        if (!project) throw noRun(run);
        const { token } = callerOf(response);
        const saved: SavedOutputs = await saveOutputs(deps, { ...run, branch }, { token, project });
        response.json(saved);
      },
    },
    {
      method: "get",
      path: `${base}/{id}/outputs/{path+}`,
      ...see,
      handle: async (request, response) => {
        const run = runIn(request);
        const segments = request.params["path"];
        const path = Array.isArray(segments) ? segments.join("/") : (segments ?? "");
        const output = await openOutput(runFolder(data, run.user, run.twin, run.id), path);
        if (!output) {
          throw new ActionNeededError("OUTPUT_NOT_FOUND", `run ${run.id} kept no such file`, {
            hint: `what it kept: dtaas twin outputs ${run.user}/${run.twin} ${run.id}`,
          });
        }
        // Written by a twin: shown by no browser, whatever it holds.
        response.set({
          "Content-Type": "application/octet-stream",
          "Content-Length": String(output.bytes),
          "Content-Disposition": "attachment",
        });
        const stream = output.file.createReadStream({ end: Math.max(0, output.bytes - 1) });
        if (output.bytes === 0) {
          stream.destroy();
          response.end();
          return;
        }
        await pipeline(stream, response);
      },
    },
  ];
}

function worktreeWish(request: Request): boolean {
  const wish = bodyValue(request, "worktree");
  if (wish === undefined || typeof wish === "boolean") return wish ?? false;
  throw badRequest("worktree must be true or false");
}

/** What lies in a workspace is its user's own affair. Errors: `NOT_ALLOWED`. */
async function worktreeRights(
  { rights }: RunRouteDeps,
  user: string,
  response: Response,
): Promise<{ mayUseSecrets: boolean }> {
  const caller = callerOf(response);
  if (!(await rights.mayUser(caller, "work", user))) {
    throw new ActionNeededError(
      "NOT_ALLOWED",
      `the files in the workspace of ${user} are for ${user} alone`,
      {
        hint: "run the twin as it is in Git: leave worktree out",
      },
    );
  }
  return { mayUseSecrets: await rights.mayUser(caller, "manage-secrets", user) };
}

function askerOf(request: Request, response: Response): Asker {
  return { username: callerOf(response).user.username, key: idempotencyKey(request) };
}

function locationOf(run: AcceptedRun): string {
  return `/api/v1/twins/${encodeURIComponent(run.user)}/${encodeURIComponent(run.twin)}/runs/${run.id}`;
}
