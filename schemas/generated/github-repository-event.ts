// Generated from schemas/documents/github-repository-event.schema.json by scripts/generate-types.mjs; do not edit.

/**
 * The fields of a GitHub repository event that we read.
 */
export interface GithubRepositoryEvent {
  action: string;
  repository: {
    id: number;
    full_name: string;
    [k: string]: unknown;
  };
  changes?: {
    repository?: {
      name?: {
        from?: string;
        [k: string]: unknown;
      };
      [k: string]: unknown;
    };
    owner?: {
      from?: {
        user?: {
          login: string;
          [k: string]: unknown;
        };
        organization?: {
          login: string;
          [k: string]: unknown;
        };
        [k: string]: unknown;
      };
      [k: string]: unknown;
    };
    [k: string]: unknown;
  };
  [k: string]: unknown;
}
