import type { NextFunction, Request, Response } from "express";
import { notImplemented } from "./api-error.ts";

const project = "^/projects/[^/]+/";
const group = "^/groups/[^/]+/";
const inProject = [
  "access_requests|alert_management_alerts|approval_rules|approval_settings|approvals|audit_events",
  "avatar|badges|boards|cluster_agents|clusters|container_registry|custom_attributes|debian|dependencies",
  "deploy_keys|discussions|error_tracking|events|export|feature_flags",
  "fork|forks|freeze_periods|housekeeping|import|integrations|invitations|issues|issues_statistics|iterations",
  "job_token_scope|labels|languages|ml|merge_requests|merge_trains|milestones|mirror|notes|packages|pages",
  "protected_environments|protected_tags|push_rule|ref|registry|releases",
  "remote_mirrors|runners|search|secure_files|services|share|snapshot|snippets|star|starrers|statistics",
  "storage|templates|terraform|unstar|uploads|users|vulnerability_findings|wikis",
];
const inRepository = ["changelog|contributors|health|merged_branches|submodules|tags"];
const onCommit = "cherry_pick|revert|comments|discussions|merge_requests|signature|sequence";
const inGroup = [
  "access_tokens|access_requests|audit_events|badges|clusters|epics|export|hooks|import|invitations|issues",
  "labels|merge_requests|milestones|packages|registry|runners|saml_group_links|search|share|transfer|uploads|wikis",
  "transfer_locations|users|boards|events|avatar|provisioned_users|restore|service_accounts",
];
const atTop = [
  "admin|appearance|application|avatar|broadcast_messages|bulk_imports|ci|code_suggestions|container_registry_event",
  "deploy_keys|events|feature_flags|features|geo|geo_nodes|import|integrations|issues|issues_statistics|job|jobs",
  "keys|license|licenses|markdown|merge_requests|milestones|notification_settings|packages|pages|plan_limits|runners|search",
  "service_accounts|sidekiq|snippets|suggestions|templates|todos|topics|usage_data|user_counts|web_commits",
];

const known: { pattern: RegExp; what: (match: RegExpExecArray) => string }[] = [
  rule(`${project}repository/commits/[^/]+/(${onCommit})(?=/|$)`, "commits/:sha/"),
  rule(`${project}repository/(${inRepository.join("|")})(?=/|$)`, "repository/"),
  rule(`${project}(${inProject.join("|")})(?=/|$)`, ""),
  rule(`${group}(${inGroup.join("|")})(?=/|$)`, "groups/:id/"),
  rule(
    "^/users?/(?:[^/]+/)?(emails|keys|gpg_keys|impersonation_tokens|status|events|followers|runners|preferences)(?=/|$)",
    "users/",
  ),
  rule("^/projects/(import|user|remote-import)(?=/|$)", "projects/"),
  rule(`^/(${atTop.join("|")})(?=/|$)`, ""),
];

/** Answers 501 for what GitLab has and this forge has not; anything else goes on, to a plain 404. */
export function refuseUnimplemented(request: Request, _response: Response, next: NextFunction): void {
  for (const { pattern, what } of known) {
    const match = pattern.exec(request.path);
    if (match) throw notImplemented(what(match));
  }
  next();
}

function rule(pattern: string, prefix: string) {
  return { pattern: new RegExp(pattern), what: (match: RegExpExecArray) => `${prefix}${match[1] ?? ""}` };
}
