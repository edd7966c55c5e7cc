import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { ciUrl } from "./ci-url.ts";
import { access, ForgeAdmin, type SeededProject } from "./forge-admin.ts";
import { type Author, pushFolder } from "./push-folder.ts";
import { makePassword, type Secrets, saveSecrets } from "./secrets.ts";

export const group = "dtaas";
/** The platform's own account on the forge: it ensures hooks, reads repositories and reports. */
export const botName = "dtaas-bot";
export const exampleUsers = ["user1", "user2"] as const;
/** Shared-asset repositories outside of the users' group; `readers`: a group whose members read it, and who that is. */
const lab = {
  group: "lab",
  projects: [
    { name: "turbine-assets", members: exampleUsers },
    { name: "rotor-tests", members: [], readers: { group: "rotor", members: ["user1"] } },
  ],
} as const;

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
  /** Folder with one folder for each example repository, called like the last part of its project. */
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
  // Part of what a job's ID token is made out to, so it is known before the job begins.
  await admin.ensureGroupVariable(groupId, "DTAAS_URL", ciUrl);
  const project = (name: string) => admin.ensureProject(groupId, `${group}/${name}`, name);
  const platform = await project("platform");
  const common = await project("common");
  const pushedTwins: string[] = [];
  const root = { username: "root", name: "Administrator", token: secrets.forgeRootToken };
  for (const shared of [platform, common]) await pushExample(options, shared, root);
  await seedLab(admin, options, { bot: bot.id, users, root });
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

/** The shared repositories of `lab`, and who may read them. Makes what is missing. */
export async function seedLab(
  admin: ForgeAdmin,
  options: { examples: string; onStep: (text: string) => void },
  people: { bot: number; users: ReadonlyMap<string, { id: number }>; root: Author },
): Promise<void> {
  const groupId = await admin.ensureGroup(lab.group);
  await admin.ensureMember(`groups/${groupId}`, people.bot, access.maintainer);
  const join = async (of: string, names: readonly string[]) => {
    for (const name of names) {
      const user = people.users.get(name);
      if (user) await admin.ensureMember(of, user.id, access.reporter);
    }
  };
  for (const shared of lab.projects) {
    const project = await admin.ensureProject(groupId, `${lab.group}/${shared.name}`, shared.name);
    await pushExample(options, project, people.root);
    await join(`projects/${project.id}`, shared.members);
    if (!("readers" in shared)) continue;
    const readers = `groups/${await admin.ensureGroup(shared.readers.group)}`;
    await admin.ensureMember(readers, people.bot, access.reporter); // to see who belongs to it
    await join(readers, shared.readers.members);
  }
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
  author: Author,
): Promise<boolean> {
  if (!project.isEmpty) return false;
  options.onStep(`git push ${project.path}`);
  const folder = join(options.examples, basename(project.path));
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
