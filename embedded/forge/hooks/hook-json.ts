import type { HookRecord, HookTarget } from "../store/records.ts";
import { eventFlags } from "./hook-event-names.ts";

/** A project's hook. */
export function hookJson(hook: HookRecord) {
  return {
    ...hookTargetJson(hook, eventFlags),
    project_id: hook.projectId,
    repository_update_events: false,
  };
}

/** What hooks of projects and of the whole forge tell alike; of secrets only that they are there. */
export function hookTargetJson(hook: HookTarget, flags: readonly string[]) {
  return {
    id: hook.id,
    url: hook.url,
    name: hook.name,
    description: hook.description,
    created_at: hook.createdAt,
    ...Object.fromEntries(flags.map((flag) => [flag, hook.events.includes(flag)])),
    push_events_branch_filter: hook.branchFilter ?? "",
    branch_filter_strategy: hook.branchFilterStrategy,
    enable_ssl_verification: hook.verifyTls,
    alert_status: "executable",
    disabled_until: null,
    url_variables: [],
    custom_headers: hook.customHeaders.map(({ key }) => ({ key })),
    custom_webhook_template: null,
    token_present: hook.token !== null,
    signing_token_present: hook.signingToken !== null,
  };
}
