import type { HookRecord } from "../store/records.ts";
import { eventFlags } from "./hook-event-names.ts";

/** Secrets are never told, only that they are there. */
export function hookJson(hook: HookRecord) {
  return {
    id: hook.id,
    url: hook.url,
    name: hook.name,
    description: hook.description,
    project_id: hook.projectId,
    created_at: hook.createdAt,
    ...Object.fromEntries(eventFlags.map((flag) => [flag, hook.events.includes(flag)])),
    push_events_branch_filter: hook.branchFilter ?? "",
    branch_filter_strategy: hook.branchFilterStrategy,
    enable_ssl_verification: hook.verifyTls,
    repository_update_events: false,
    alert_status: "executable",
    disabled_until: null,
    url_variables: [],
    custom_headers: hook.customHeaders.map(({ key }) => ({ key })),
    custom_webhook_template: null,
    token_present: hook.token !== null,
    signing_token_present: hook.signingToken !== null,
  };
}
