// Generated from schemas/documents/github-pull-event.schema.json by scripts/generate-types.mjs; do not edit.

/**
 * The fields of GitHub's events about a pull request, or what was said about one or an issue, that we read.
 */
export interface GithubPullEvent {
  action: string;
  repository: {
    id: number;
    full_name: string;
    [k: string]: unknown;
  };
  pull_request?: {
    number: number;
    [k: string]: unknown;
  };
  issue?: {
    number: number;
    /**
     * There for the issue that a pull request is.
     */
    pull_request?: {
      [k: string]: unknown;
    };
    [k: string]: unknown;
  };
  [k: string]: unknown;
}
