import type { Parts } from "./openapi-library.ts";
import { itemsOf, record, ref } from "./openapi-schemas.ts";

const text = { type: "string" } as const;
const textOrNull = { type: ["string", "null"] };
const timeOrNull = { type: ["string", "null"], format: "date-time" };
const list = "/users/{user}/remotes";
const sync = `${list}/{remote}/sync`;

export const remoteSchemas: Record<string, object> = {
  Remote: record("A repository on another host, and what became of it.", {
    user: text,
    name: text,
    url: text,
    direction: { enum: ["pull", "push"] },
    everyMs: { type: "number" },
    branch: textOrNull,
    outcome: {
      enum: ["never", "waiting", "running", "updated", "unchanged", "conflict", "refused", "failed"],
      description: "conflict: see files; refused: somebody has to act; failed: tried again by itself.",
    },
    message: textOrNull,
    files: { type: "array", items: text, description: "Paths that are in the way." },
    commit: textOrNull,
    remoteCommit: textOrNull,
    requestedAt: timeOrNull,
    finishedAt: timeOrNull,
    nextAt: timeOrNull,
  }),
};

/** The operations of remotes. */
export function remotePaths<O>({
  operation,
  json,
  problem,
  query,
}: Parts<O>): Record<string, Record<string, O>> {
  return {
    [list]: {
      get: operation(list, "remotes", "Repositories on other hosts that workspace.yaml names.", {
        responses: { "200": json("In its order.", itemsOf("Remote")) },
      }),
    },
    [sync]: {
      post: operation(sync, "remotes", "Pulls from or pushes to one of them soon.", {
        parameters: [
          query("direction", "What is meant; another one than the remote's is refused.", {
            enum: ["pull", "push"],
          }),
        ],
        responses: {
          "202": json(
            "Accepted, and on disk; done when finishedAt is later than requestedAt.",
            ref("Remote"),
          ),
          "422": problem("The remote goes the other way."),
        },
      }),
    },
  };
}
