import type { ForgeProject } from "../forge.ts";
import type { ChangedFile } from "../forge-merge-requests.ts";
import { mergeRequestContract } from "../merge-request-contract.ts";
import { FakeMergeRequests } from "./fake-merge-requests.ts";

const fake = new FakeMergeRequests();
const somebody = { id: 2, username: "root" };
const branches = new Map<string, { iid: number; files: ChangedFile[]; pushes: number }>();
let projects = 0;

mergeRequestContract(() => ({
  forge: fake,
  createProject: async () => {
    projects += 1;
    const path = `contract/p${projects}`;
    return { id: projects, path, defaultBranch: "main", webUrl: `http://forge.test/${path}` };
  },
  propose: async (project, branch, files) => {
    const known = branches.get(`${project.id} ${branch}`);
    const pushes = (known?.pushes ?? 0) + 1;
    const head = String(pushes).repeat(40);
    const changed = [...(known?.files ?? []), ...Object.keys(files).map(changedFile)];
    const iid = known?.iid ?? fake.open({ project, head, files: changed, sourceBranch: branch });
    fake.change(project, iid, { head, files: changed });
    branches.set(`${project.id} ${branch}`, { iid, files: changed, pushes });
    return { iid, head };
  },
  say: async (project: ForgeProject, iid, body) => void fake.saidBy(somebody, project, iid, { body }),
  resolve: async (project, iid, discussion) => fake.resolvedBySomebody(project, iid, discussion),
  close: async (project, iid) => fake.change(project, iid, { state: "closed" }),
  token: async (project) => {
    fake.branches.add(`${project.id} change-2`);
    return "a token";
  },
  makesResults: false, // whoever uses the fake says what merging makes
}));

function changedFile(path: string): ChangedFile {
  const lines = new Map<number, number | undefined>([
    [1, 1],
    [2, undefined],
    [3, 3],
    [4, 4],
    [5, 5],
  ]);
  return { oldPath: path, newPath: path, lines };
}
