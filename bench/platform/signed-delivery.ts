import { type Agent, request } from "node:http";
import { Webhook } from "standardwebhooks";
import { projectSecret } from "#controller/intake/project-secret";

export interface Delivery {
  body: string;
  headers: Record<string, string | number>;
}

/** A push as GitLab tells it, signed with the project's own secret. `after` is the commit the branch has now. */
export function signedPush(
  master: string,
  push: { projectId: number; path: string; before: string; after: string },
): Delivery {
  const { projectId, path, before, after } = push;
  const id = crypto.randomUUID();
  const commits = Array.from({ length: 3 }, () => ({ id: after, message: "m".repeat(200), added: ["a"] }));
  const body = JSON.stringify({
    object_kind: "push",
    ...{ before, after, ref: "refs/heads/main", project_id: projectId },
    project: { id: projectId, path_with_namespace: path, default_branch: "main" },
    commits,
  });
  const now = new Date();
  const signature = new Webhook(projectSecret(master, projectId).signingToken).sign(id, now, body);
  const headers = {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    "x-gitlab-event": "Push Hook",
    "webhook-id": id,
    "webhook-timestamp": Math.floor(now.getTime() / 1_000),
    "webhook-signature": signature,
  };
  return { body, headers };
}

/** Resolves with the status of the answer, 0 where none came. */
export function post(url: string, agent: Agent, { body, headers }: Delivery): Promise<number> {
  return new Promise((resolve) => {
    const sent = request(url, { method: "POST", agent, headers }, (response) => {
      response.resume();
      response.on("end", () => resolve(response.statusCode ?? 0));
      response.on("error", () => resolve(0));
    });
    sent.on("error", () => resolve(0));
    sent.end(body);
  });
}
