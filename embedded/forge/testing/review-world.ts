import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Gitlab } from "@gitbeaker/rest";
import { type ForgeWorld, forgeWorld } from "./forge-world.ts";

export type Client = InstanceType<typeof Gitlab>;

/**
 * A forge with one project `plant/tank`: Ada maintains it, Dev develops, Rita reports, Gus is a guest, Olga is an outsider.
 * For tests only.
 */
export interface ReviewWorld extends ForgeWorld {
  project: string;
  as(username: string): Client;
  /** A clone of the project, by Ada. */
  main: string;
  /** Writes files on a branch that starts at `main`, commits and pushes; the new commit. */
  change(branch: string, files: Readonly<Record<string, string>>, message?: string): Promise<string>;
  /** A raw call of the API as this user. */
  api(
    username: string,
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ status: number; body: unknown }>;
}

export const people = ["ada", "dev", "rita", "gus", "olga"] as const;
const levels = { ada: 40, dev: 30, rita: 20, gus: 10 } as const;

export async function reviewWorld(
  settings: { project?: string; visibility?: "private" | "public" } = {},
): Promise<ReviewWorld> {
  const world = await forgeWorld();
  const project = settings.project ?? "plant/tank";
  await world.forge.admin.seed({
    users: [
      { username: "root", name: "Administrator", admin: true },
      ...people.map((username) => ({ username, name: username[0]?.toUpperCase() + username.slice(1) })),
    ],
    projects: [{ path: project, visibility: settings.visibility ?? "private" }],
    members: Object.entries(levels).map(([username, accessLevel]) => ({
      path: project,
      username,
      accessLevel,
    })),
    tokens: ["root", ...people].map((username) => ({
      username,
      name: "t",
      scopes: ["api"],
      value: `glpat-${username}`,
    })),
  });
  const main = await world.clone(project, "ada", "glpat-ada");
  const clients = new Map<string, Client>();
  const review: ReviewWorld = Object.assign(world, {
    project,
    main,
    as: (username: string) => {
      const rateLimits = { "**": 100_000 };
      const made =
        clients.get(username) ??
        new Gitlab({ host: world.forge.url, token: `glpat-${username}`, rateLimits });
      clients.set(username, made);
      return made;
    },
    change: async (branch: string, files: Readonly<Record<string, string>>, message = `change ${branch}`) => {
      await world.git(main, "fetch", "--quiet", "origin");
      const there = await world.git(main, "ls-remote", "--heads", "origin", branch);
      const start = there === "" ? "origin/main" : `origin/${branch}`;
      await world.git(main, "switch", "--quiet", "--no-track", "-C", branch, start);
      for (const [path, text] of Object.entries(files)) await writeFile(join(main, path), text);
      await world.git(main, "add", "--all");
      await world.git(main, "commit", "--quiet", "-m", message);
      await world.git(main, "push", "--quiet", "origin", `HEAD:${branch}`);
      return await world.git(main, "rev-parse", "HEAD");
    },
    api: async (username: string, method: string, path: string, body?: unknown) => {
      const answer = await fetch(`${world.forge.url}/api/v4/${path}`, {
        method,
        headers: { "private-token": `glpat-${username}`, "content-type": "application/json" },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      });
      const text = await answer.text();
      return { status: answer.status, body: text === "" ? undefined : (JSON.parse(text) as unknown) };
    },
  });
  await world.git(main, "switch", "--quiet", "-C", "main");
  await writeFile(join(main, "dt.yaml"), "name: tank\nkind: pump\nspeed: 1\nlimit: 9\nunit: rpm\n");
  await world.push(main, "readme.md", "Tank\n");
  return review;
}
