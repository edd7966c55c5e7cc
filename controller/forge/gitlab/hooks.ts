import { createHmac } from "node:crypto";
import { ActionNeededError } from "#core/errors";
import type { ForgeProject, WantedHook } from "../forge.ts";
import type { GitLabClient } from "./client.ts";
import { GitLabAnswer, undefinedWhenMissing } from "./errors.ts";

const hookName = "DTaaS";

/** Events of a hook that we want, and those that we do not want: GitLab's other flags. */
const wantedEvents = ["push_events", "merge_requests_events", "note_events", "pipeline_events", "job_events"];
const otherEvents = [
  "tag_push_events",
  "confidential_note_events",
  "issues_events",
  "confidential_issues_events",
  "deployment_events",
  "wiki_page_events",
  "releases_events",
];

interface HookReply extends Record<string, unknown> {
  id: number;
  url: string;
  /** Absent on old hosts. */
  description?: string | null;
  push_events_branch_filter?: string | null;
  enable_ssl_verification: boolean;
  alert_status?: string;
  token_present?: boolean;
  signing_token_present?: boolean;
}

/**
 * Brings a project's webhook to what is wanted. Secrets cannot be read back, so a fingerprint of them stands in the
 * hook's description; it tells this installation's hooks from others, and whether the secrets are still the ones.
 * `written` remembers what was sent in this process, for hosts that keep no description.
 */
export async function ensureHook(
  client: GitLabClient,
  project: ForgeProject,
  wanted: WantedHook,
  written: Set<string>,
): Promise<void> {
  const fingerprint = fingerprintOf(wanted);
  const all = await undefinedWhenMissing(client.hooks.all(project.id, { perPage: 100 }));
  if (all === undefined) {
    throw new ActionNeededError("PROJECT_NOT_FOUND", `GitLab has no project ${project.path}`);
  }
  const ours = (all as unknown as HookReply[])
    .filter((hook) => hook.url === wanted.url || (hook.description ?? "").includes(fingerprint))
    // The right one first, then the oldest, so that two processes keep the same one.
    .sort((a, b) => Number(b.url === wanted.url) - Number(a.url === wanted.url) || a.id - b.id);
  const [first, ...doubles] = ours;
  const key = `${project.id} ${wanted.url} ${fingerprint}`;
  for (const double of doubles) await undefinedWhenMissing(client.hooks.remove(project.id, double.id));

  if (first !== undefined && first.alert_status !== "disabled") {
    if (isAsWanted(first, wanted, fingerprint, written.has(key))) return;
    await orExplain(client.hooks.edit(project.id, first.id, wanted.url, settings(wanted, fingerprint)));
  } else {
    // GitLab gave up on a hook that failed too often; only a new one is called again.
    if (first !== undefined) await undefinedWhenMissing(client.hooks.remove(project.id, first.id));
    await orExplain(client.hooks.add(project.id, wanted.url, settings(wanted, fingerprint)));
  }
  written.add(key);
}

function isAsWanted(hook: HookReply, wanted: WantedHook, fingerprint: string, wasWritten: boolean): boolean {
  const hasSecrets =
    hook.description === undefined ? wasWritten : (hook.description ?? "").includes(fingerprint);
  return (
    hook.url === wanted.url &&
    hasSecrets &&
    hook.token_present !== false &&
    (hook.signing_token_present !== false || wasWritten) &&
    wantedEvents.every((event) => hook[event] === true) &&
    !hook.push_events_branch_filter &&
    hook.enable_ssl_verification === isTls(wanted.url) &&
    otherEvents.every((event) => hook[event] !== true)
  );
}

function settings(wanted: WantedHook, fingerprint: string) {
  const flags = [
    ...otherEvents.map((event) => [event, false]),
    ...wantedEvents.map((event) => [event, true]),
  ];
  // gitbeaker's types lack name, description and the signing token; it passes them through.
  return {
    ...Object.fromEntries(flags),
    name: hookName,
    description: `Tells DTaaS about pushes, merge requests and pipelines. Managed by the platform, key ${fingerprint}.`,
    token: wanted.token,
    signingToken: wanted.signingToken, // hosts before 19.0 ignore it, and the token alone counts
    pushEventsBranchFilter: "",
    enableSslVerification: isTls(wanted.url),
  };
}

async function orExplain(asked: Promise<unknown>): Promise<void> {
  try {
    await asked;
  } catch (error) {
    if (!(error instanceof GitLabAnswer)) throw error;
    throw new ActionNeededError("WEBHOOK_REFUSED", `GitLab refuses the webhook: ${error.message}`, {
      hint: "For an address in a private network, an administrator allows requests to it from webhooks.",
      cause: error,
    });
  }
}

function fingerprintOf(wanted: WantedHook): string {
  const mac = createHmac("sha256", wanted.signingToken).update(`dtaas webhook fingerprint ${wanted.token}`);
  return mac.digest("hex").slice(0, 16);
}

function isTls(url: string): boolean {
  return url.startsWith("https:");
}
