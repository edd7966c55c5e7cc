import { ActionNeededError } from "#core/errors";
import type { Forge, ForgeMember, ForgeProject, ForgeVariables, ListedVariables } from "./forge.ts";
import type { Discussion, ForgeMergeRequests, MergeRequest } from "./forge-merge-requests.ts";
import { idOfFurther, idsPerHost, isOfFurther, pathOnFurther, projectOfFurther } from "./host-names.ts";

export interface TwoHosts {
  /** Where users are, their repositories, and who may do what. */
  users: Forge;
  /** Where further repositories of shared assets are. */
  further: { name: string; forge: Forge };
}

type Of = { project: string } | { group: string };

/**
 * Two Git hosts as one. What is called `<name>/...` is on the further one; everything else is on that of the users. People of the two
 * are never taken for each other, whatever their names are: those of the further one are called `<name>/<username>`, and may do
 * on its projects what it lets them do. No token that a caller has given goes to the further one.
 */
export function twoHosts({ users, further: { name, forge: further } }: TwoHosts): Forge {
  const onFurther = (path: string) => pathOnFurther(name, path);
  /** The host of a project, and the project as it is called there. */
  const on = (project: ForgeProject): [Forge, ForgeProject] => {
    const path = onFurther(project.path);
    return path === undefined
      ? [users, project]
      : [further, { ...project, id: project.id - idsPerHost, path }];
  };
  const isFar = ({ path }: ForgeProject) => onFurther(path) !== undefined;
  const refuseToken = (project: ForgeProject) => {
    if (onFurther(project.path) === undefined) return;
    throw new ActionNeededError(
      "FORGE_FORBIDDEN",
      `${project.path} is on another Git host, which does not know you`,
      {
        hint: `Change it on ${name} itself.`,
      },
    );
  };
  return {
    hostOf: (id) => (isOfFurther(id) ? { ...further.hostOf(id - idsPerHost), name } : users.hostOf(id)),
    listProjects: async (group) => {
      const there = onFurther(group);
      if (there === undefined) return await users.listProjects(group);
      return (await further.listProjects(there)).map((project) => projectOfFurther(name, project));
    },
    project: async (path) => {
      const there = onFurther(path);
      if (there === undefined) return await users.project(path);
      const found = await further.project(there);
      return found && projectOfFurther(name, found);
    },
    head: async (project) => {
      const [forge, there] = on(project);
      return await forge.head(there);
    },
    heads: async (projects) => {
      const far = projects.filter(({ path }) => onFurther(path) !== undefined);
      const near = projects.filter(({ path }) => onFurther(path) === undefined);
      const [ofNear, ofFar] = await Promise.all([
        users.heads(near),
        far.length === 0 ? new Map<number, string>() : further.heads(far.map((project) => on(project)[1])),
      ]);
      return new Map([...ofNear, ...[...ofFar].map(([id, head]) => [idOfFurther(id), head] as const)]);
    },
    ensureHook: async (project, hook) => {
      const [forge, there] = on(project);
      await forge.ensureHook(there, hook);
    },
    setStatus: async (project, status) => {
      const [forge, there] = on(project);
      await forge.setStatus(there, status);
    },
    listStatuses: async (project, commit) => {
      const [forge, there] = on(project);
      return await forge.listStatuses(there, commit);
    },
    whoIs: (token) => users.whoIs(token),
    findUser: (username) => users.findUser(username),
    accessLevel: async (project, userId) => {
      const [forge, there] = on(project);
      if ((forge === further) !== isOfFurther(userId)) return 0; // a stranger there
      return await forge.accessLevel(there, forge === further ? userId - idsPerHost : userId);
    },
    isPrivate: async (project) => {
      const [forge, there] = on(project);
      return await forge.isPrivate(there);
    },
    members: async (of) => {
      const there = ofOn(of, onFurther);
      if (there === undefined) return await users.members(of);
      const found = await further.members(there);
      return found?.map((member): ForgeMember => ({ ...member, username: `${name}/${member.username}` }));
    },
    commitFile: async (project, change) => {
      refuseToken(project);
      return await users.commitFile(project, change);
    },
    commitFiles: async (project, change) => {
      refuseToken(project);
      return await users.commitFiles(project, change);
    },
    commit: async (project, commit) => {
      refuseToken(project);
      return await users.commit(project, commit);
    },
    gitAccess: (project) => {
      const [forge, there] = on(project);
      return forge.gitAccess(there);
    },
    variables: variablesOfTwo(users, { name, forge: further }, { on, refuseToken }),
    // Only users' repositories are run.
    pipelines: {
      run: async (project, wish) => {
        refuseToken(project);
        return await users.pipelines.run(project, wish);
      },
      list: async (project, page) => (isFar(project) ? [] : await users.pipelines.list(project, page)),
      show: async (project, id, token) =>
        isFar(project) ? undefined : await users.pipelines.show(project, id, token),
      change: async (project, wish) =>
        isFar(project) ? undefined : await users.pipelines.change(project, wish),
      job: async (project, id, token) =>
        isFar(project) ? undefined : await users.pipelines.job(project, id, token),
      changeJob: async (project, wish) =>
        isFar(project) ? undefined : await users.pipelines.changeJob(project, wish),
      trace: async (project, job, from) =>
        isFar(project) ? undefined : await users.pipelines.trace(project, job, from),
    },
    environments: users.environments, // of users' twins alone
    mergeRequests: mergeRequestsOfTwo(users, { name, forge: further }, { on, refuseToken }),
  };
}

interface Routing {
  on(project: ForgeProject): [Forge, ForgeProject];
  /** Throws for a project of the further host: nobody's token goes there. */
  refuseToken(project: ForgeProject): void;
}

function variablesOfTwo(users: Forge, { name, forge }: TwoHosts["further"], route: Routing): ForgeVariables {
  return {
    list: async (project) => {
      const [host, there] = route.on(project);
      const listed = await host.variables.list(there);
      if (host !== forge) return listed;
      return {
        ...listed,
        variables: listed.variables.map((one) => ({ ...one, of: `${name}/${one.of}` })),
        unreadable: listed.unreadable.map((group) => `${name}/${group}`),
      } satisfies ListedVariables;
    },
    set: async (project, change) => {
      route.refuseToken(project);
      return await users.variables.set(project, change);
    },
    remove: async (project, which) => {
      route.refuseToken(project);
      return await users.variables.remove(project, which);
    },
  };
}

function mergeRequestsOfTwo(
  users: Forge,
  { name, forge }: TwoHosts["further"],
  { on, refuseToken }: Routing,
): ForgeMergeRequests {
  const person = ({ id, username }: MergeRequest["author"]) => ({
    id: idOfFurther(id),
    username: `${name}/${username}`,
  });
  const ours = (one: MergeRequest): MergeRequest => ({
    ...one,
    projectId: idOfFurther(one.projectId),
    author: person(one.author),
  });
  const discussion = (one: Discussion): Discussion => ({
    ...one,
    notes: one.notes.map((note) => ({ ...note, author: person(note.author) })),
  });
  return {
    listOpen: async (of) => {
      const there = ofOn(of, (path) => pathOnFurther(name, path));
      if (there === undefined) return await users.mergeRequests.listOpen(of);
      return (await forge.mergeRequests.listOpen(there)).map(ours);
    },
    show: async (project, iid) => {
      const [host, there] = on(project);
      const found = await host.mergeRequests.show(there, iid);
      return found && host === forge ? ours(found) : found;
    },
    mergeResult: async (project, iid) => {
      const [host, there] = on(project);
      return await host.mergeRequests.mergeResult(there, iid);
    },
    diff: async (project, iid) => {
      const [host, there] = on(project);
      return await host.mergeRequests.diff(there, iid);
    },
    discussions: async (project, iid) => {
      const [host, there] = on(project);
      const found = await host.mergeRequests.discussions(there, iid);
      return host === forge ? found.map(discussion) : found;
    },
    say: async (project, iid, note) => {
      const [host, there] = on(project);
      return await host.mergeRequests.say(there, iid, note);
    },
    edit: async (project, iid, edit) => {
      const [host, there] = on(project);
      await host.mergeRequests.edit(there, iid, edit);
    },
    resolve: async (project, iid, thread) => {
      const [host, there] = on(project);
      await host.mergeRequests.resolve(there, iid, thread);
    },
    create: async (project, wish) => {
      refuseToken(project);
      return await users.mergeRequests.create(project, wish);
    },
  };
}

function ofOn(of: Of, onFurther: (path: string) => string | undefined): Of | undefined {
  const path = onFurther("project" in of ? of.project : of.group);
  if (path === undefined) return undefined;
  return "project" in of ? { project: path } : { group: path };
}
