import http from "node:http";
import https from "node:https";
import { ActionNeededError, TryLaterError } from "#core/errors";
import type { CheckedUrl } from "./check-remote-url.ts";

const timeoutMs = 10_000;
const retryAfterMs = 60_000;

/**
 * Asks the other host over plain HTTP why git failed, because git tells only by its message text. Connects to the checked
 * address and follows nothing. Resolves when the host would serve the repository; otherwise throws what git should have
 * said: `REMOTE_NOT_FOUND`, `REMOTE_CREDENTIALS_REFUSED`, `REMOTE_REDIRECTS`, `TryLaterError`.
 */
export async function probeRemoteUrl(
  checked: CheckedUrl,
  options: { authorization?: string; service: "git-upload-pack" | "git-receive-pack" },
): Promise<void> {
  const status = await ask(checked, options);
  const { host } = checked.url;
  const where = { file: "workspace.yaml" };
  if (status >= 200 && status < 300) return;
  if (status === 401 || status === 403) {
    throw new ActionNeededError("REMOTE_CREDENTIALS_REFUSED", `${host} wants other credentials`, {
      where,
      hint: "Name a variable with a token that may read (for push: write) that repository in `credentials`.",
    });
  }
  if (status === 404 || status === 410) {
    const message = `${host} has no such repository, or does not show it`;
    throw new ActionNeededError("REMOTE_NOT_FOUND", message, {
      where,
      hint: "Check the url and the credentials.",
    });
  }
  if (status >= 300 && status < 400) {
    throw new ActionNeededError("REMOTE_REDIRECTS", `${host} sends us elsewhere, which is not followed`, {
      where,
      hint: "Write the address that it redirects to.",
    });
  }
  throw new TryLaterError(`${host} answers ${status}`, { retryAfterMs });
}

function ask(
  { url, address, port }: CheckedUrl,
  { authorization, service }: { authorization?: string; service: string },
): Promise<number> {
  const options = {
    host: address,
    port,
    servername: url.hostname,
    path: `${url.pathname.replace(/\/+$/, "")}/info/refs?service=${service}`,
    headers: { host: url.host, ...(authorization === undefined ? {} : { authorization }) },
    signal: AbortSignal.timeout(timeoutMs),
    agent: false as const,
  };
  return new Promise((resolve, reject) => {
    const take = (response: http.IncomingMessage) => {
      response.destroy();
      resolve(response.statusCode ?? 0);
    };
    const asked = url.protocol === "https:" ? https.request(options, take) : http.request(options, take);
    asked.on("error", (cause) =>
      reject(new TryLaterError(`${url.host} cannot be reached`, { retryAfterMs, cause })),
    );
    asked.end();
  });
}
