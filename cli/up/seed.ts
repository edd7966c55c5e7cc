import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { access, ForgeAdmin, type SeededProject } from "./forge-admin.ts";
import { pushFolder } from "./push-folder.ts";
import { makePassword, type Secrets, saveSecrets } from "./secrets.ts";

export const group = "dtaas";
/** The platform's own account on the forge: it ensures hooks, reads repositories and reports. */
export const botName = "dtaas-bot";
export const exampleUsers = ["user1", "user2"] as const;

export interface Seeded {
  /** Tokens by user name, `root` and the bot included. */
  tokens: Record<string, string>;
  /** Where each user's repository can be cloned, without credentials. */
  repositories: Record<string, string>;
  /** Example twins that were pushed by this call, as `<user>/<twin>`. */
  pushedTwins: string[];
}

/**
 * Accounts, group, projects and memberships on the embedded forge, then the example repositories by real `git push`. Makes what is
 * missing; a repository that has a commit is never touched again.
 */
export async function seed(options: {
  forgeUrl: string;
  /** Folder with `platform`, `common` and one folder for each example user. */
  examples: string;
  dataFolder: string;
  secrets: Secrets;
  /** Whose accounts and examples are made; absent: all. */
  users?: readonly string[];
  onStep: (text: string) => void;
}): Promise<Seeded> {
  const { secrets, onStep, users: names = exampleUsers } = options;
  const admin = new ForgeAdmin(options.forgeUrl, secrets.forgeRootToken);
  onStep("accounts");
  const bot = await ensureAccount(admin, options, botName, ["api", "read_repository", "write_repository"]);
  const users = new Map<string, { id: number; token: string }>();
  for (const name of names) {
    users.set(
      name,
      await ensureAccount(admin, options, name, ["api", "read_repository", "write_repository"]),
    );
  }
  onStep("projects");
  const groupId = await admin.ensureGroup(group);
  await admin.ensureMember(`groups/${groupId}`, bot.id, access.maintainer);
  const project = (name: string) => admin.ensureProject(groupId, `${group}/${name}`, name);
  const platform = await project("platform");
  const common = await project("common");
  const pushedTwins: string[] = [];
  const root = { username: "root", name: "Administrator", token: secrets.forgeRootToken };
  for (const shared of [platform, common]) await pushExample(options, shared, root);
  const repositories: Record<string, string> = {};
  for (const [name, user] of users) {
    const own = await project(name);
    await admin.ensureMember(`projects/${own.id}`, user.id, access.maintainer);
    await admin.ensureMember(`projects/${common.id}`, user.id, access.reporter);
    repositories[name] = own.gitUrl;
    const author = { username: name, name: titleOf(name), token: user.token };
    if (await pushExample(options, own, author)) pushedTwins.push(...(await twinsOf(options.examples, name)));
  }
  const tokens: Record<string, string> = { root: secrets.forgeRootToken, [botName]: bot.token };
  for (const [name, user] of users) tokens[name] = user.token;
  return { tokens, repositories, pushedTwins };
}

async function ensureAccount(
  admin: ForgeAdmin,
  options: { dataFolder: string; secrets: Secrets },
  name: string,
  scopes: string[],
): Promise<{ id: number; token: string }> {
  const { dataFolder, secrets } = options;
  const account = secrets.accounts[name] ?? { password: makePassword() };
  secrets.accounts[name] = account;
  await saveSecrets(dataFolder, secrets); // the password before it is used: a crash in between must not lose it
  const id = await admin.ensureUser(name, titleOf(name), account.password);
  if (account.token !== undefined && (await admin.whoIs(account.token)) === id)
    return { id, token: account.token };
  account.token = await admin.createToken(id, "dtaas up", scopes);
  await saveSecrets(dataFolder, secrets);
  return { id, token: account.token };
}

async function pushExample(
  options: { examples: string; onStep: (text: string) => void },
  project: SeededProject,
  author: { username: string; name: string; token: string },
): Promise<boolean> {
  if (!project.isEmpty) return false;
  options.onStep(`git push ${project.path}`);
  const folder = join(options.examples, project.path.slice(group.length + 1));
  const message = "feat: add the examples";
  await pushFolder({ folder, gitUrl: project.gitUrl, branch: "main", message, author });
  return true;
}

/** Folders of a user's example repository that the platform takes for twins. */
async function twinsOf(examples: string, user: string): Promise<string[]> {
  const at = join(examples, user, "digital_twins");
  const names: string[] = [];
  for (const entry of await readdir(at, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const inside = await readdir(join(at, entry.name));
    if (inside.includes("dt.yaml") || inside.includes("lifecycle")) names.push(`${user}/${entry.name}`);
  }
  return names;
}

function titleOf(name: string): string {
  const match = /^user(\d+)$/.exec(name);
  return match ? `User ${match[1]}` : "DTaaS platform";
}
