import { ActionNeededError, TryLaterError } from "#core/errors";
import type { GitHubClient } from "./client.ts";

const limitPauseMs = 60_000;

/** octokit's error for an answer that has complaints in it. */
interface Complaints extends Error {
  name: "GraphqlResponseError";
  errors?: { type?: unknown; message?: unknown }[];
  /** What could be answered all the same. */
  data?: unknown;
}

/**
 * Asks through GraphQL. What GitHub does not have, or does not show, is `null` in the answer, as it is where the whole is. A limit
 * is `TryLaterError`; whatever else it complains about is `ActionNeededError("FORGE_ANSWER_ODD")`.
 */
export async function ask<T>(
  client: GitHubClient,
  query: string,
  variables: Record<string, unknown>,
): Promise<Partial<T>> {
  try {
    return await client.graphql<T & Partial<T>>(query, variables);
  } catch (error) {
    if (!isComplaints(error)) throw error;
    const types = (error.errors ?? []).map(({ type }) => type);
    if (types.some((type) => type === "RATE_LIMITED")) {
      throw new TryLaterError("GitHub asks for a pause", { retryAfterMs: limitPauseMs, cause: error });
    }
    if (types.some((type) => type === "FORBIDDEN" || type === "INSUFFICIENT_SCOPES")) {
      throw new ActionNeededError("FORGE_FORBIDDEN", `GitHub does not allow this: ${firstWords(error)}`, {
        hint: "Give the account the role that docs/github.md names, and its token the permissions there.",
        cause: error,
      });
    }
    if (types.length > 0 && types.every((type) => type === "NOT_FOUND"))
      return (error.data ?? {}) as Partial<T>;
    throw new ActionNeededError("FORGE_ANSWER_ODD", `GitHub's answer is none: ${firstWords(error)}`, {
      cause: error,
    });
  }
}

function isComplaints(error: unknown): error is Complaints {
  return error instanceof Error && error.name === "GraphqlResponseError";
}

function firstWords(error: Complaints): string {
  return String(error.errors?.[0]?.message ?? "").slice(0, 300);
}
