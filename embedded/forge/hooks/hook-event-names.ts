/** API flag of an event -> its `X-Gitlab-Event`. Hooks can ask for all; some are never sent. */
export const eventNames: Readonly<Record<string, string>> = {
  push_events: "Push Hook",
  tag_push_events: "Tag Push Hook",
  merge_requests_events: "Merge Request Hook",
  issues_events: "Issue Hook",
  confidential_issues_events: "Confidential Issue Hook",
  note_events: "Note Hook",
  confidential_note_events: "Confidential Note Hook",
  job_events: "Job Hook",
  pipeline_events: "Pipeline Hook",
  wiki_page_events: "Wiki Page Hook",
  deployment_events: "Deployment Hook",
  feature_flag_events: "Feature Flag Hook",
  releases_events: "Release Hook",
  milestone_events: "Milestone Hook",
  emoji_events: "Emoji Hook",
  resource_access_token_events: "Resource Access Token Hook",
};

export const eventFlags: readonly string[] = Object.keys(eventNames);
