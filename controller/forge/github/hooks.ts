import { createHmac } from "node:crypto";
import { ActionNeededError } from "#core/errors";
import type { ForgeProject, WantedHook } from "../forge.ts";
import type { GitHubClient } from "./client.ts";
import { GitHubAnswer, undefinedWhenMissing } from "./errors.ts";
import { at } from "./projects.ts";

const wantedEvents = [
  "push",
  "pull_request",
  "issue_comment",
  "pull_request_review_comment",
  "workflow_run",
  "workflow_job",
  "repository",
  "member",
];

interface HookReply {
  id: number;
  active: boolean;
  events: string[];
  config: { url?: string; content_type?: string; insecure_ssl?: string | number };
}

/**
 * Brings a repository's webhook to what is wanted. GitHub shows no secret and keeps no description, so a fingerprint of the
 * secrets stands in the hook's address, as `key`; it tells this installation's hooks from others, and whether they hold the right secret.
 */
export async function ensureHook(
  client: GitHubClient,
  project: ForgeProject,
  wanted: WantedHook,
): Promise<void> {
  const asked = client.paginate(client.rest.repos.listWebhooks, { ...at(project), per_page: 100 });
  const all = (await undefinedWhenMissing(asked)) as HookReply[] | undefined;
  if (all === undefined) {
    throw new ActionNeededError("PROJECT_NOT_FOUND", `GitHub shows no webhooks of ${project.path}`, {
      hint: "Give the platform's account the role Admin on the repository.",
    });
  }
  const key = fingerprintOf(wanted);
  const url = withKey(wanted.url, key);
  const ours = all
    .filter(({ config }) => isOurs(config.url ?? "", wanted.url, key))
    // The right one first, then the oldest, so that two processes keep the same one.
    .sort((a, b) => Number(b.config.url === url) - Number(a.config.url === url) || a.id - b.id);
  const [first, ...doubles] = ours;
  for (const { id } of doubles) {
    await undefinedWhenMissing(client.rest.repos.deleteWebhook({ ...at(project), hook_id: id }));
  }
  if (first !== undefined && isAsWanted(first, url)) return;
  const settings = {
    ...at(project),
    active: true,
    events: wantedEvents,
    // Of the two secrets the one that is only signed with: no host ever sends it.
    config: { url, content_type: "json", insecure_ssl: "0", secret: wanted.signingToken },
  };
  await orExplain(
    first === undefined
      ? client.rest.repos.createWebhook(settings)
      : client.rest.repos.updateWebhook({ ...settings, hook_id: first.id }),
  );
}

/** The address of a hook without what we have added. */
export function withoutKey(url: string): string {
  return url.replace(/&key=[0-9a-f]{16}$/, "");
}

function withKey(url: string, key: string): string {
  return `${url}&key=${key}`;
}

function isOurs(url: string, wanted: string, key: string): boolean {
  return withoutKey(url) === wanted || url.endsWith(`&key=${key}`);
}

function isAsWanted({ active, events, config }: HookReply, url: string): boolean {
  return (
    active &&
    config.url === url &&
    config.content_type === "json" &&
    String(config.insecure_ssl ?? "0") === "0" &&
    [...events].sort().join() === [...wantedEvents].sort().join()
  );
}

async function orExplain(asked: Promise<unknown>): Promise<void> {
  try {
    await asked;
  } catch (error) {
    if (!(error instanceof GitHubAnswer)) throw error;
    throw new ActionNeededError("WEBHOOK_REFUSED", `GitHub refuses the webhook: ${error.message}`, {
      hint: "GitHub must be able to reach DTAAS_PUBLIC_URL, and the account needs the role Admin.",
      cause: error,
    });
  }
}

function fingerprintOf(wanted: WantedHook): string {
  const mac = createHmac("sha256", wanted.signingToken).update("dtaas webhook fingerprint");
  return mac.digest("hex").slice(0, 16);
}
