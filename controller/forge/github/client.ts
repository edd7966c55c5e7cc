import { Octokit } from "@octokit/rest";
import { ActionNeededError, TryLaterError } from "#core/errors";
import { Connection, type ConnectionOptions } from "./connection.ts";
import { GitHubAnswer } from "./errors.ts";

const apiVersion = "2022-11-28";
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** GitHub's API for one account. */
export type GitHubClient = Octokit;

/** Octokit on our own connection, with our own errors. Any kind of access token works. */
export function gitHubClient(apiUrl: string, token: string, options: ConnectionOptions): GitHubClient {
  const { send } = new Connection(options);
  const client = new Octokit({
    auth: token,
    baseUrl: apiUrl,
    userAgent: "dtaas",
    log: silent,
    request: { fetch: send },
  });
  client.hook.before("request", (request) => {
    request.headers["x-github-api-version"] = apiVersion;
  });
  client.hook.error("request", (error) => {
    const cause = "cause" in error ? error.cause : undefined;
    throw isOurs(cause) ? cause : error;
  });
  return client;
}

function isOurs(cause: unknown): cause is Error {
  return (
    cause instanceof ActionNeededError || cause instanceof TryLaterError || cause instanceof GitHubAnswer
  );
}

/** Where the API of a host is: GitHub's own has a name for it, a GitHub Enterprise Server a path. */
export function apiUrlOf(webUrl: string): string {
  const url = webUrl.replace(/\/+$/, "");
  return url === "https://github.com" ? "https://api.github.com" : `${url}/api/v3`;
}
