import { expect, test } from "vitest";
import type { GitEntry } from "../assets/git-entry.ts";
import { maxChangedFiles } from "./library-limits.ts";
import { blobId, type Change, type ListedTree, planChanges } from "./plan-changes.ts";

/** A tree of these files; folders get an id made of what lies in them. */
function tree(
  files: Record<string, string | { content: string; kind?: GitEntry["kind"]; executable?: boolean }>,
): ListedTree {
  const entries = new Map<string, GitEntry>();
  for (const [path, file] of Object.entries(files)) {
    const {
      content,
      kind = "file",
      executable = false,
    } = typeof file === "string" ? { content: file } : file;
    const bytes = Buffer.from(content);
    entries.set(path, { path, kind, executable, id: blobId(bytes, 40), bytes: bytes.length });
    for (let slash = path.lastIndexOf("/"); slash > 0; slash = path.lastIndexOf("/", slash - 1)) {
      const folder = path.slice(0, slash);
      const id = `${entries.get(folder)?.id ?? "tree"} ${path}=${content}`;
      entries.set(folder, { path: folder, kind: "folder", executable: false, id, bytes: 0 });
    }
  }
  return { listed: (path) => entries.get(path), entries: [...entries.values()] };
}

const write = (path: string, content: string, executable?: boolean): Change => ({
  action: "write",
  path,
  content: Buffer.from(content),
  ...(executable === undefined ? {} : { executable }),
});
const head = tree({
  "models/a.txt": "a",
  "models/tank/tank.fmu": "fmu",
  "models/tank/run": { content: "run", executable: true },
  "models/link": { content: "a.txt", kind: "link" },
  "models/sub/module": { content: "", kind: "submodule" },
  "digital_twins/old one!/x": "1",
});
const plan = (changes: Change[], more: { base?: ListedTree; replace?: boolean } = {}) =>
  planChanges(head, { changes, base: more.base, replace: more.replace ?? false }).map((action) =>
    "content" in action ? { ...action, content: Buffer.from(action.content).toString() } : action,
  );

test("a new file is created, an equal one is left alone, a seen one is updated", () => {
  expect(plan([write("models/b.txt", "b"), write("models/a.txt", "a")])).toEqual([
    { action: "create", path: "models/b.txt", content: "b", executable: false },
  ]);
  expect(plan([write("models/a.txt", "new")], { base: head })).toEqual([
    { action: "update", path: "models/a.txt", content: "new" },
  ]);
  expect(plan([write("models/a.txt", "new", true)], { replace: true })).toEqual([
    { action: "update", path: "models/a.txt", content: "new" },
    { action: "chmod", path: "models/a.txt", executable: true },
  ]);
  expect(plan([write("models/tank/run", "run")])).toEqual([]);
});

test("whole folders are taken apart", () => {
  expect(plan([{ action: "delete", path: "models/tank" }])).toEqual([
    { action: "delete", path: "models/tank/tank.fmu" },
    { action: "delete", path: "models/tank/run" },
  ]);
  expect(plan([{ action: "move", from: "models/tank", to: "tools/tank" }], { base: head })).toEqual([
    { action: "move", from: "models/tank/tank.fmu", path: "tools/tank/tank.fmu" },
    { action: "move", from: "models/tank/run", path: "tools/tank/run" },
  ]);
});

const changed = (files: Parameters<typeof tree>[0]) => ({ base: tree(files) });

test.each<[string, Change[], { base?: ListedTree; replace?: boolean }, string, string]>([
  ["an unseen file", [write("models/a.txt", "new")], {}, "FILE_EXISTS", "models/a.txt"],
  [
    "a file changed since",
    [write("models/a.txt", "n")],
    changed({ "models/a.txt": "old" }),
    "FILE_CHANGED",
    "models/a.txt",
  ],
  ["a file made since", [write("models/a.txt", "n")], changed({}), "FILE_CHANGED", "models/a.txt"],
  [
    "a file gone since",
    [write("models/c.txt", "n")],
    changed({ "models/c.txt": "c" }),
    "FILE_CHANGED",
    "models/c.txt",
  ],
  [
    "replacing does not outdo what was seen",
    [write("models/a.txt", "n")],
    { ...changed({}), replace: true },
    "FILE_CHANGED",
    "models/a.txt",
  ],
  [
    "a folder in which one file changed",
    [{ action: "delete", path: "models/tank" }],
    changed({ "models/tank/tank.fmu": "older", "models/tank/run": { content: "run", executable: true } }),
    "FILE_CHANGED",
    "models/tank/tank.fmu",
  ],
  [
    "moving onto something",
    [{ action: "move", from: "models/a.txt", to: "models/tank" }],
    {},
    "FILE_EXISTS",
    "models/tank",
  ],
  [
    "moving what is not there",
    [{ action: "move", from: "models/x", to: "models/y" }],
    {},
    "FILE_NOT_FOUND",
    "models/x",
  ],
  ["a file where a folder is", [write("models/tank", "x")], { replace: true }, "FILE_EXISTS", "models/tank"],
  ["a file below a file", [write("models/a.txt/b", "x")], {}, "FILE_EXISTS", "models/a.txt"],
  [
    "writing through a link",
    [write("models/link", "x")],
    { replace: true },
    "FILE_NOT_REGULAR",
    "models/link",
  ],
  ["a submodule", [{ action: "delete", path: "models/sub" }], {}, "FILE_NOT_REGULAR", "models/sub/module"],
  ["the same path twice", [write("data/x", "1"), write("data/x", "2")], {}, "CHANGES_OVERLAP", "data/x"],
  [
    "a path in another",
    [write("data/x/y", "1"), { action: "delete", path: "data/x" }],
    {},
    "CHANGES_OVERLAP",
    "data/x/y",
  ],
  [
    "a move into itself",
    [{ action: "move", from: "models/tank", to: "models/tank/in" }],
    {},
    "CHANGES_OVERLAP",
    "models/tank/in",
  ],
  ["a way out", [write("models/../x", "x")], {}, "PATH_REFUSED", "models/../x"],
  ["an absolute path", [write("/models/x", "x")], {}, "PATH_REFUSED", "/models/x"],
  ["a way into .git", [write("models/.git/config", "x")], {}, "PATH_REFUSED", "models/.git/config"],
  ["a control character", [write("models/a\u0007", "x")], {}, "PATH_REFUSED", "models/a\u0007"],
  ["half a character", [write("models/\ud800", "x")], {}, "PATH_REFUSED", "models/\ud800"],
  ["a file beside the assets", [write("workspace.yaml", "x")], {}, "PATH_NOT_ASSET", "workspace.yaml"],
  ["a kind as a whole", [{ action: "delete", path: "models" }], {}, "PATH_NOT_ASSET", "models"],
  [
    "a name that no twin can have",
    [write("digital_twins/my twin/dt.yaml", "x")],
    {},
    "TWIN_NAME_REFUSED",
    "digital_twins/my twin/dt.yaml",
  ],
  [
    "a move to such a name",
    [{ action: "move", from: "models/tank", to: "digital_twins/1" }],
    {},
    "TWIN_NAME_REFUSED",
    "digital_twins/1/tank.fmu",
  ],
])("%s is refused by name", (_what, changes, more, code, file) => {
  expect(() => plan(changes, more)).toThrowError(expect.objectContaining({ code, where: { file } }));
});

test("a twin with an older name can still be changed and moved away", () => {
  expect(plan([write("digital_twins/old one!/y", "2")])).toHaveLength(1);
  expect(plan([{ action: "move", from: "digital_twins/old one!", to: "digital_twins/new" }])).toHaveLength(1);
});

test("one file more than a commit may have is refused by its name", () => {
  const changes = Array.from({ length: maxChangedFiles + 1 }, (_, n) => write(`data/${n}`, "x"));
  const code = "CHANGES_TOO_MANY";
  const where = { file: `data/${maxChangedFiles}` };
  expect(() => plan(changes)).toThrowError(expect.objectContaining({ code, where }));
  expect(plan(changes.slice(1))).toHaveLength(maxChangedFiles);
});
