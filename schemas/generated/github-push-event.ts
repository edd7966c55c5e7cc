// Generated from schemas/documents/github-push-event.schema.json by scripts/generate-types.mjs; do not edit.

/**
 * The fields of a GitHub push event that we read.
 */
export interface GithubPushEvent {
  ref: string;
  before: string;
  after: string;
  repository: {
    id: number;
    full_name: string;
    default_branch?: string;
    [k: string]: unknown;
  };
  sender?: {
    login: string;
    [k: string]: unknown;
  };
  [k: string]: unknown;
}
