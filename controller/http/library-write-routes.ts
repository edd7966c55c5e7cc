import { ActionNeededError } from "#core/errors";
import { checkLibraryChanges } from "#schemas/documents/check-documents";
import type { LibraryChangesDocument } from "#schemas/generated/library-changes";
import type { LibraryChange } from "#schemas/library";
import type { Caller } from "../auth/caller.ts";
import { callerOf } from "../auth/requires.ts";
import { checkPath } from "../library/check-path.ts";
import { copyFiles } from "../library/copy-files.ts";
import { maxChangesBytes, maxMessageCharacters, maxUploads } from "../library/library-limits.ts";
import type { Change } from "../library/plan-changes.ts";
import type { ApiRoute } from "./api-route.ts";
import { Gate } from "./gate.ts";
import type { LibraryRouteDeps } from "./library-read-routes.ts";
import {
  checkMatch,
  commitQuery,
  fileTag,
  isYes,
  pathIn,
  projectIn,
  repositoryIn,
} from "./library-request.ts";
import { badRequest, oneQuery } from "./read-request.ts";
import { drained, readFileBody, readUpload } from "./read-upload.ts";

type Request = Parameters<ApiRoute["handle"]>[0];
type Response = Parameters<ApiRoute["handle"]>[1];
type WrittenChange = LibraryChangesDocument["changes"][number];

/** Everything that changes the library: each request one commit, with the caller's own token. */
export function libraryWriteRoutes(deps: LibraryRouteDeps): ApiRoute[] {
  const { library } = deps;
  const gate = new Gate("uploads", maxUploads);
  const upload = (request: Request, response: Response, task: () => Promise<void>) =>
    drained(request, () => gate.pass(callerOf(response).user.id, task));
  const change = {
    action: "change-files" as const,
    resource: async (request: Request) => projectIn(library, request),
  };
  const answer = (response: Response, made: LibraryChange) => {
    if (made.commit !== null) response.set("DTaaS-Commit", made.commit);
    response.status(made.changed ? 201 : 200).json(made);
  };
  return [
    {
      ...change,
      method: "put",
      path: "/library/{repository}/files/{path+}",
      body: "own",
      handle: async (request, response) => {
        await upload(request, response, async () => {
          const repository = await repositoryIn(library, request);
          const path = pathIn(request);
          const base = commitQuery(request, "base");
          const executable = oneQuery(request, "executable");
          const file: Change = {
            action: "write",
            path,
            content: await readFileBody(request),
            ...(executable === undefined ? {} : { executable: isYes(request, "executable") }),
          };
          const made = await library.change(repository, {
            token: callerOf(response).token,
            changes: [file],
            ...(base === undefined ? {} : { baseCommit: base }),
            replace: isYes(request, "replace") || request.get("If-Match") !== undefined,
            ...messageQuery(request),
            expect: (head) => checkMatch(request, path, head.listed(path)),
          });
          const reader = made.commit === null ? undefined : await library.read(repository, made.commit);
          const now = reader?.listed(path);
          if (now) response.set("ETag", fileTag(now));
          answer(response, made);
        });
      },
    },
    {
      ...change,
      method: "delete",
      path: "/library/{repository}/files/{path+}",
      handle: async (request, response) => {
        const repository = await repositoryIn(library, request);
        const path = pathIn(request);
        const base = commitQuery(request, "base");
        const made = await library.change(repository, {
          token: callerOf(response).token,
          changes: [{ action: "delete", path }],
          ...(base === undefined ? {} : { baseCommit: base }),
          ...messageQuery(request),
          expect: (head) => checkMatch(request, path, head.listed(path)),
        });
        answer(response, made);
      },
    },
    {
      ...change,
      method: "post",
      path: "/library/{repository}/changes",
      body: maxChangesBytes,
      handle: async (request, response) => {
        const repository = await repositoryIn(library, request);
        const wanted = checkBody(request.body);
        const changes: Change[] = [];
        for (const one of wanted.changes) changes.push(...(await toChanges(deps, callerOf(response), one)));
        const made = await library.change(repository, {
          token: callerOf(response).token,
          changes,
          ...(wanted.baseCommit === undefined ? {} : { baseCommit: wanted.baseCommit }),
          replace: wanted.replace ?? false,
          ...(wanted.message === undefined ? {} : { message: wanted.message }),
        });
        answer(response, made);
      },
    },
    {
      ...change,
      method: "post",
      path: "/library/{repository}/upload",
      body: "own",
      handle: async (request, response) => {
        await upload(request, response, async () => {
          const repository = await repositoryIn(library, request);
          const into = checkPath(oneQuery(request, "into") ?? "");
          const base = commitQuery(request, "base");
          const files = await readUpload(request, response);
          const changes = files.map(({ name, content, executable }): Change => {
            const path = checkPath(into === "" ? name : `${into}/${name}`);
            return { action: "write", path, content, ...(executable === undefined ? {} : { executable }) };
          });
          const made = await library.change(repository, {
            token: callerOf(response).token,
            changes,
            ...(base === undefined ? {} : { baseCommit: base }),
            replace: isYes(request, "replace"),
            message: messageQuery(request).message ?? uploadMessage(into, files.length),
          });
          answer(response, made);
        });
      },
    },
  ];
}

function checkBody(body: unknown): LibraryChangesDocument {
  try {
    return checkLibraryChanges(body);
  } catch (error) {
    if (error instanceof ActionNeededError) throw badRequest(error.message);
    throw error;
  }
}

async function toChanges(deps: LibraryRouteDeps, caller: Caller, change: WrittenChange): Promise<Change[]> {
  switch (change.action) {
    case "delete":
    case "move":
      return [change];
    case "write": {
      const { path, content, encoding = "text", executable } = change;
      if (encoding === "base64" && !/^[A-Za-z0-9+/]*={0,2}$/.test(content)) {
        throw badRequest(`the content of ${path} is not in base64`);
      }
      const bytes = Buffer.from(content, encoding === "base64" ? "base64" : "utf8");
      return [{ action: "write", path, content: bytes, ...(executable === undefined ? {} : { executable }) }];
    }
    case "copy": {
      const from = deps.library.repositories.fullPath(change.repository);
      if ((await deps.rights.decide(caller, "see", from)) !== "allowed") {
        throw new ActionNeededError("NOT_FOUND", "there is no such repository, or you may not see it");
      }
      const reader = await deps.library.read(await deps.library.repositories.find(from), change.commit);
      return await copyFiles(reader, checkPath(change.from), checkPath(change.to));
    }
  }
}

function messageQuery(request: Request): { message?: string } {
  const message = oneQuery(request, "message");
  if (message === undefined) return {};
  const isGood = message.trim() !== "" && message.length <= maxMessageCharacters;
  if (!isGood || /[^\P{Cc}\t\n]/u.test(message)) {
    throw badRequest(`message must be text, ${maxMessageCharacters} characters at most`);
  }
  return { message };
}

function uploadMessage(into: string, files: number): string {
  return `Upload ${files} ${files === 1 ? "file" : "files"}${into === "" ? "" : ` to ${into}`}`;
}
