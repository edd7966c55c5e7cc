/** What an application may be allowed, in GitLab's words, and what that is in words for people. */
export const scopeWords = {
  openid: "Know who you are",
  profile: "Read your name and user name",
  email: "Read your e-mail address",
  read_user: "Read your account",
  read_api: "Read everything you may see",
  api: "Do everything you may do",
  read_repository: "Read the files of projects you may read",
  write_repository: "Push to projects you may push to",
} as const;

export type OAuthScope = keyof typeof scopeWords;

export const oauthScopes = Object.keys(scopeWords) as OAuthScope[];
