import { expect, test } from "vitest";
import { TryLaterError } from "#core/errors";
import { createLogger } from "#core/logger";
import type { WorkspaceRequest } from "#schemas/workspace-state";
import { stopUnentitled } from "./stop-unentitled.ts";

test("a workspace ends when its user has left the project, and not because the Git host is away", async () => {
  const levels: Record<string, number | "gone" | "away"> = {
    stays: 30,
    left: 20,
    removed: "gone",
    unknown: "away",
    off: 0,
  };
  const stopped: string[] = [];
  const book = {
    users: async () => Object.keys(levels),
    request: async (user: string) =>
      ({
        user,
        state: user === "off" ? "stopped" : "running",
        repository: { project: `dtaas/${user}` },
        owner: { id: 1 },
      }) as WorkspaceRequest,
    stop: async (user: string) => {
      stopped.push(user);
      return undefined;
    },
  };
  const forge = {
    project: async (path: string) =>
      levels[path.slice("dtaas/".length)] === "gone"
        ? undefined
        : { id: 1, path, defaultBranch: "main", webUrl: "" },
    accessLevel: async ({ path }: { path: string }) => {
      const level = levels[path.slice("dtaas/".length)];
      if (typeof level === "number") return level;
      throw new TryLaterError("away", { retryAfterMs: 1 });
    },
  };
  await stopUnentitled(book, forge, createLogger("test", "silent"));
  expect(stopped).toEqual(["left", "removed"]);
});
