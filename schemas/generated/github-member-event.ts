// Generated from schemas/documents/github-member-event.schema.json by scripts/generate-types.mjs; do not edit.

/**
 * The fields of GitHub's events about members of a repository, team or organisation that we read.
 */
export interface GithubMemberEvent {
  action: string;
  repository?: {
    id: number;
    full_name: string;
    [k: string]: unknown;
  };
  organization?: {
    login: string;
    [k: string]: unknown;
  };
  [k: string]: unknown;
}
