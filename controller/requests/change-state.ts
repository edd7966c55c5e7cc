import { ActionNeededError } from "#core/errors";
import type { StateChange } from "#schemas/api";
import { editState } from "#schemas/edit-state";
import type { Forge, ForgeProject } from "../forge/forge.ts";
import type { StoredDocuments } from "../reading/stored-documents.ts";

const maxAttempts = 3; // a push may come between reading and writing

/** A text file at the head of the default branch, and that head; `undefined` where it is not. */
export type ReadHeadFile = (
  project: ForgeProject,
  file: string,
) => Promise<{ text: string; commit: string } | undefined>;

export interface ChangeStateDeps {
  documents: Pick<StoredDocuments, "desired" | "observed">;
  forge: Pick<Forge, "commitFile">;
  readHeadFile: ReadHeadFile;
}

/**
 * Commits `state:` to the twin's dt.yaml with the caller's own token. Says so when Git says it already. Errors:
 * `TWIN_NOT_FOUND`, `TWIN_DERIVED` (no dt.yaml), those of `editState`, and those of the forge.
 */
export async function changeState(
  deps: ChangeStateDeps,
  wish: { user: string; twin: string; state: "running" | "stopped" },
  caller: { token: string; project: ForgeProject },
): Promise<StateChange> {
  const { user, twin, state } = wish;
  const desired = await deps.documents.desired(user);
  const isKnown =
    desired?.twins.some((candidate) => candidate.name === twin) ||
    desired?.refused.some((candidate) => candidate.name === twin);
  if (!isKnown) {
    throw new ActionNeededError("TWIN_NOT_FOUND", `${user} has no twin ${twin}`, {
      hint: "list them: dtaas twin list",
    });
  }
  const file = `digital_twins/${twin}/dt.yaml`;
  for (let attempt = 1; ; attempt += 1) {
    const head = await deps.readHeadFile(caller.project, file);
    if (!head) {
      throw new ActionNeededError("TWIN_DERIVED", `${user}/${twin} has no dt.yaml that could hold a state`, {
        where: { file },
        hint: `add ${file} with \`spec: { state: ${state} }\` and push; operations can be run without it`,
      });
    }
    const content = editState(head.text, state, file);
    if (content === head.text) return { user, twin, state, changed: false, commit: null };
    const message = `${state === "running" ? "Start" : "Stop"} digital twin ${twin}`;
    const change = { token: caller.token, file, content, message, baseCommit: head.commit };
    try {
      const { commit } = await deps.forge.commitFile(caller.project, change);
      return { user, twin, state, changed: true, commit };
    } catch (error) {
      const isMoved = error instanceof ActionNeededError && error.code === "FILE_CHANGED";
      if (!isMoved || attempt >= maxAttempts) throw error;
    }
  }
}
