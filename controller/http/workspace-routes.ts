import { createReadStream } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Request } from "express";
import type { DataFolder } from "#core/data-folder";
import { ActionNeededError, isSystemError } from "#core/errors";
import type { Items } from "#schemas/api";
import type { LogLine } from "#schemas/run";
import type { WorkspaceService } from "#schemas/workspace-state";
import type { OpenedWorkspace, WorkspaceView } from "#schemas/workspace-view";
import { callerOf } from "../auth/requires.ts";
import type { Rights } from "../auth/rights.ts";
import { followLog } from "../reading/follow-log.ts";
import { notRunning, type WorkspaceBook } from "../workspaces/workspace-book.ts";
import { workspaceView } from "../workspaces/workspace-view.ts";
import type { ApiRoute } from "./api-route.ts";
import type { OpenStream, Streams } from "./event-stream.ts";
import { badRequest, bodyField, nameIn, oneQuery } from "./read-request.ts";

const kinds = ["text/plain", "application/x-ndjson"] as const;
const lasting = ["stopping", "stopped", "failed"];

export interface WorkspaceRouteDeps {
  data: DataFolder;
  workspaces: WorkspaceBook;
  rights: Rights;
  streams: Streams;
}

/** Workspaces: each is for its own user, and for administrators. */
export function workspaceRoutes(deps: WorkspaceRouteDeps): ApiRoute[] {
  const { workspaces: book } = deps;
  const base = "/workspaces/{user}";
  const work = { action: "work", resource: "user" } as const;
  const view = async (user: string) =>
    workspaceView(user, await book.request(user), await book.observed(user));
  return [
    {
      method: "get",
      path: "/workspaces",
      action: "work",
      resource: "each",
      handle: async (_request, response) => {
        const caller = callerOf(response);
        const items: WorkspaceView[] = [];
        for (const user of await book.users()) {
          if (await deps.rights.mayUser(caller, "work", user)) items.push(await view(user));
        }
        response.json({ items } satisfies Items<WorkspaceView>);
      },
    },
    {
      method: "get",
      path: base,
      ...work,
      handle: async (request, response) => {
        response.json((await view(nameIn(request, "user"))) satisfies WorkspaceView);
      },
    },
    {
      method: "put",
      path: `${base}/state`,
      ...work,
      handle: async (request, response) => {
        const user = nameIn(request, "user");
        const { username } = callerOf(response).user;
        const state = bodyField(request, "state", /^(running|stopped)$/, "running or stopped");
        await (state === "running" ? book.start(user, username) : book.stop(user, username));
        response.status(202).json(await view(user));
      },
    },
    ...(["restart", "rebuild"] as const).map(
      (verb): ApiRoute => ({
        method: "post",
        path: `${base}/${verb}`,
        ...work,
        handle: async (request, response) => {
          const user = nameIn(request, "user");
          const { username } = callerOf(response).user;
          await book.restart(user, username, { rebuild: verb === "rebuild" });
          response.status(202).json(await view(user));
        },
      }),
    ),
    {
      method: "post",
      path: `${base}/keep-alive`,
      ...work,
      handle: async (request, response) => {
        const user = nameIn(request, "user");
        await book.keepAlive(user, callerOf(response).user.username);
        response.status(202).json(await view(user));
      },
    },
    {
      method: "post",
      path: `${base}/open`,
      ...work,
      handle: async (request, response) => {
        response.json((await opened(book, nameIn(request, "user"))) satisfies OpenedWorkspace);
      },
    },
    {
      method: "get",
      path: `${base}/services`,
      ...work,
      handle: async (request, response) => {
        const { services } = await view(nameIn(request, "user"));
        response.json({ items: services } satisfies Items<WorkspaceService>);
      },
    },
    {
      method: "get",
      path: `${base}/log`,
      ...work,
      handle: async (request, response) => {
        const kind = request.accepts([...kinds]);
        if (!kind) throw new ActionNeededError("NOT_ACCEPTABLE", `a log comes as ${kinds.join(", ")}`);
        const user = nameIn(request, "user");
        const wish = logWish(request);
        const stream = deps.streams.open(response, `${kind}; charset=utf-8`);
        for await (const line of logOf(deps, user, { ...wish, signal: stream.signal })) {
          await write(stream, line, kind === "text/plain");
        }
        stream.close();
      },
    },
  ];
}

/** Errors: `WORKSPACE_NOT_RUNNING`. */
async function opened(book: WorkspaceBook, user: string): Promise<OpenedWorkspace> {
  const [request, observed] = [await book.request(user), await book.observed(user)];
  if (!request || !observed || !(await book.isReady(user))) throw notRunning(user);
  const { port, services } = observed;
  if (port === undefined) {
    throw new ActionNeededError(
      "WORKSPACE_WITHOUT_TOOLS",
      "this workspace has a ready image whose tools are not known",
      {
        hint: "use a template in workspace.yaml",
      },
    );
  }
  const url = new URL(services[0]?.path ?? "/", `http://127.0.0.1:${port}`);
  url.searchParams.set("token", request.accessToken);
  return { user, url: url.href };
}

function logWish(request: Request): { of: "session" | "build"; follow: boolean } {
  const of = oneQuery(request, "of") ?? "session";
  const follow = oneQuery(request, "follow") ?? "false";
  if (of !== "session" && of !== "build") throw badRequest("of must be session or build");
  if (follow !== "true" && follow !== "false") throw badRequest("follow must be true or false");
  return { of, follow: follow === "true" };
}

async function* logOf(
  { data, workspaces }: WorkspaceRouteDeps,
  user: string,
  wish: { of: "session" | "build"; follow: boolean; signal: AbortSignal },
): AsyncGenerator<LogLine> {
  const observed = await workspaces.observed(user);
  if (!observed) return;
  if (wish.of === "build") {
    if (observed.imageHash !== undefined) yield* linesOf(join(data.builds, `${observed.imageHash}.ndjson`));
    return;
  }
  const { session } = observed;
  const isEnded = async () => {
    const now = await workspaces.observed(user);
    return now?.session !== session || lasting.includes(now.state);
  };
  const folder = join(data.workspaces, user, "sessions", String(session));
  const { follow, signal } = wish;
  for await (const { line } of followLog(folder, { after: 0, follow, isEnded, signal })) yield line;
}

async function* linesOf(path: string): AsyncGenerator<LogLine> {
  try {
    for await (const line of createInterface({ input: createReadStream(path) })) {
      yield JSON.parse(line) as LogLine;
    }
  } catch (error) {
    if (isSystemError(error, "ENOENT") || error instanceof SyntaxError) return; // none yet, or half a line
    throw error;
  }
}

async function write(stream: OpenStream, line: LogLine, isText: boolean): Promise<void> {
  await stream.write(`${isText ? line.text : JSON.stringify(line)}\n`);
}
