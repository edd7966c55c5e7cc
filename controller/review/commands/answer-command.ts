import { ActionNeededError } from "#core/errors";
import type { DesiredState } from "#schemas/desired-state";
import type { Action } from "../../auth/decide.ts";
import { accessWords } from "../../auth/requires.ts";
import type { Rights } from "../../auth/rights.ts";
import type { ForgeProject } from "../../forge/forge.ts";
import type { MergeRequest, Note } from "../../forge/forge-merge-requests.ts";
import type { RequestBook } from "../../requests/request-book.ts";
import { code, prose } from "../markdown.ts";
import type { ReviewMemory } from "../review-memory.ts";
import type { Command } from "./parse-command.ts";

export interface CommandDeps {
  rights: Pick<Rights, "decide" | "projectOf">;
  requests: Pick<RequestBook, "run">;
  desired(user: string): DesiredState | undefined;
}

export interface CommandPlace {
  project: ForgeProject;
  /** Whose repository it is; `undefined` for one that is shared. */
  user: string | undefined;
  mergeRequest: MergeRequest;
  /** When its newest commit came. */
  headSince: string;
  fromOutside: boolean;
  /** Twins that the merge request changes, and what was found, in a few words. */
  changedTwins: readonly string[];
  verdict: string;
}

export interface Answer {
  body: string;
  run?: { user: string; twin: string; id: string };
  preview?: NonNullable<ReviewMemory["preview"]>;
}

/**
 * Does what a note asks, with the rights of whoever wrote it, and says what was done. Doing it again does nothing more: a run
 * has the note as its key. What cannot be done is the answer; `TryLaterError` is thrown.
 */
export async function answerCommand(
  deps: CommandDeps,
  place: CommandPlace,
  asked: { note: Note; command: Command },
): Promise<Answer> {
  try {
    return await carryOut(deps, place, asked);
  } catch (error) {
    if (!(error instanceof ActionNeededError)) throw error;
    const hint = error.hint === undefined ? "" : ` ${sentence(error.hint)}`;
    return { body: `${sentence(error.message)}${hint}` };
  }
}

async function carryOut(
  deps: CommandDeps,
  place: CommandPlace,
  { note, command }: { note: Note; command: Command },
): Promise<Answer> {
  const { project, mergeRequest } = place;
  switch (command.kind) {
    case "help":
      return { body: help };
    case "unknown":
      return { body: `${code(command.said)} is no command I know: ${prose(command.hint)}.\n\n${help}` };
    case "plan":
      await demand(deps, note, "see", project.path);
      return {
        body: `Looked at ${code(mergeRequest.head.slice(0, 8))} again: ${place.verdict}. The comment says more.`,
      };
    case "stop": {
      await demand(deps, note, "operate", project.path);
      const preview = { head: mergeRequest.head, wanted: false, twins: [], by: note.author.username };
      return {
        body: "The previews of this merge request are removed, until somebody asks for them again.",
        preview,
      };
    }
    case "preview":
      return await preview(deps, place, note, command.twins);
    case "run":
      return await run(deps, place, note, command);
  }
}

async function preview(
  deps: CommandDeps,
  place: CommandPlace,
  note: Note,
  twins: readonly string[],
): Promise<Answer> {
  const { project, mergeRequest, user } = place;
  const projects = twins
    .filter((twin) => twin.includes("/"))
    .map((twin) => deps.rights.projectOf(twin.split("/")[0] ?? ""));
  for (const path of new Set([project.path, ...projects])) await demand(deps, note, "operate", path);
  if (user === undefined && twins.length === 0) {
    throw new ActionNeededError("TWIN_NOT_NAMED", "this repository has no twins of its own", {
      hint: "name the twins that shall be previewed: `/dtaas preview user1/tank`",
    });
  }
  // Who asks has looked at what was there then, and vouches for nothing else.
  if (place.fromOutside && Date.parse(note.createdAt) < Date.parse(place.headSince)) {
    throw new ActionNeededError("PUSHED_MEANWHILE", "something was pushed after that was asked", {
      hint: "look at it, and ask again",
    });
  }
  const own = twins.map((twin) =>
    user !== undefined && twin.startsWith(`${user}/`) ? twin.slice(user.length + 1) : twin,
  );
  const names =
    own.length === 0
      ? "of all twins that it changes and that have `preview:`"
      : `of ${own.map((twin) => code(twin)).join(", ")}`;
  return {
    body: `Previews ${names} at ${code(mergeRequest.head.slice(0, 8))} are on their way; the comment shows them.`,
    preview: { head: mergeRequest.head, wanted: true, twins: own, by: note.author.username },
  };
}

async function run(
  deps: CommandDeps,
  place: CommandPlace,
  note: Note,
  { operation, twin: named }: Extract<Command, { kind: "run" }>,
): Promise<Answer> {
  const { user, twin } = twinToRun(deps, place, named);
  await demand(deps, note, "operate", deps.rights.projectOf(user));
  const key = `note-${place.project.id}-${note.id}`;
  const accepted = await deps.requests.run(
    { user, twin, operation },
    { username: note.author.username, key },
  );
  return {
    body: runWords({ operation, user, twin, id: accepted.id, said: "accepted" }),
    run: { user, twin, id: accepted.id },
  };
}

/** The twin that is meant: the one that is named, the only one that is changed, or the only one there is. */
function twinToRun(
  deps: CommandDeps,
  place: CommandPlace,
  named: string | undefined,
): { user: string; twin: string } {
  if (named?.includes("/")) {
    const [user = "", twin = ""] = named.split("/");
    return { user, twin };
  }
  const { user, changedTwins } = place;
  if (user === undefined) {
    throw new ActionNeededError("TWIN_NOT_NAMED", "this repository has no twins of its own", {
      hint: "name the twin with its user: `/dtaas run execute user1/tank`",
    });
  }
  if (named !== undefined) return { user, twin: named };
  const all = deps.desired(user)?.twins.map(({ name }) => name) ?? [];
  const changed = changedTwins.filter((name) => all.includes(name));
  const [only, ...others] = changed.length === 1 ? changed : all;
  if (only !== undefined && others.length === 0) return { user, twin: only };
  throw new ActionNeededError("TWIN_NOT_NAMED", "it is not clear which twin is meant", {
    hint: `name it: ${all
      .slice(0, 10)
      .map((name) => `\`${name}\``)
      .join(", ")}`,
  });
}

/** What the reply about a run says, from acceptance to end. */
export function runWords(run: {
  operation: string;
  user: string;
  twin: string;
  id: string;
  said: string;
}): string {
  return `${code(run.operation)} of ${code(`${run.user}/${run.twin}`)}: ${run.said}.\n\nIts log: ${code(`dtaas twin logs ${run.user}/${run.twin} --run ${run.id} -f`)}`;
}

/** Throws where the author of the note may not; what they may not see is not there. */
async function demand(deps: CommandDeps, { author }: Note, action: Action, project: string): Promise<void> {
  const decision = await deps.rights.decide({ user: author }, action, project);
  if (decision === "allowed") return;
  if (decision === "hidden") {
    throw new ActionNeededError("NOT_FOUND", "there is no such thing, or you may not see it", {
      hint: "access is membership in the project on the Git host, as a Reporter or more",
    });
  }
  throw new ActionNeededError(
    "NOT_ALLOWED",
    `\`${author.username}\` may not ${accessWords[action]} in \`${project}\``,
    {
      hint: "ask a maintainer of the project for a higher role",
    },
  );
}

function sentence(text: string): string {
  const said = prose(text);
  return `${said.charAt(0).toUpperCase()}${said.slice(1)}${/[.?!]$/.test(said) ? "" : "."}`;
}

const help = [
  "What I understand, as a line of a comment:",
  "- `/dtaas plan`: look at the merge request again",
  "- `/dtaas preview [twin]`: run the merge result beside the live twin",
  "- `/dtaas stop`: remove the previews",
  "- `/dtaas run <operation> [twin]`: run an operation of the live twin",
  "- `/dtaas help`: this",
].join("\n");
