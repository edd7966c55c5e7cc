import { Octokit } from "@octokit/rest";
import { ActionNeededError, TryLaterError } from "#core/errors";
import { Connection, type ConnectionOptions } from "./connection.ts";
import { GitHubAnswer } from "./errors.ts";

const apiVersion = "2022-11-28";
const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };

/** GitHub's API for one account. */
export interface GitHubClient extends Octokit {
  /** The bytes of a text from `offset` on, at most `maxBytes`; a path of the API that sends us on to where the text is. */
  readText(path: string, part: { offset: number; maxBytes: number }): Promise<Buffer>;
}

/** Octokit on our own connection, with our own errors. Any kind of access token works. */
export function gitHubClient(apiUrl: string, token: string, options: ConnectionOptions): GitHubClient {
  const connection = new Connection(options);
  const client = new Octokit({
    auth: token,
    baseUrl: apiUrl,
    userAgent: "dtaas",
    log: silent,
    request: { fetch: connection.send },
  });
  client.hook.before("request", (request) => {
    request.headers["x-github-api-version"] = apiVersion;
  });
  client.hook.error("request", (error) => {
    const cause = "cause" in error ? error.cause : undefined;
    throw isOurs(cause) ? cause : error;
  });
  return Object.assign(client, {
    readText: (path: string, part: { offset: number; maxBytes: number }) =>
      connection.readText(
        `${apiUrl}${path}`,
        { authorization: `token ${token}`, "user-agent": "dtaas" },
        part,
      ),
  });
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
