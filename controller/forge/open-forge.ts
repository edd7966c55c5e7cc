import type { ForgeConfig, HostConfig } from "../config.ts";
import type { Forge } from "./forge.ts";
import { GitHubForge } from "./github/github-forge.ts";
import { GitLabForge } from "./gitlab/gitlab-forge.ts";
import { twoHosts } from "./two-hosts.ts";

/** The Git host of the users, with the further one beside it where the settings name one. */
export function openForge({ forge, furtherForge }: ForgeConfig): Forge {
  const users = openHost(forge);
  if (furtherForge === undefined) return users;
  return twoHosts({ users, further: { name: furtherForge.name, forge: openHost(furtherForge) } });
}

/** One Git host, whatever kind it is of. */
export function openHost({ kind, url, token }: HostConfig): Forge {
  return kind === "github" ? new GitHubForge({ url, token }) : new GitLabForge({ url, token });
}
