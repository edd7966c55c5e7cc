import { compileSchema } from "#schemas/compile-schema";
import { assetKinds } from "../library/asset-kinds.ts";
import { itemsOf, record, ref } from "./openapi-schemas.ts";

/** What openapi.ts makes operations with. */
export interface Parts<O> {
  operation(
    path: string,
    tag: string,
    summary: string,
    more: { parameters?: object[]; requestBody?: object; responses: Record<string, object> },
  ): O;
  json(description: string, schema: object): object;
  problem(description: string): object;
  query(name: string, description: string, schema?: object): object;
}

const text = { type: "string" } as const;
const whole = { type: "integer" } as const;
const yes = { type: "boolean" } as const;
const commitOrNull = { type: ["string", "null"], description: "Commit that was read; null: no commit yet." };
const base = "/library/{repository}";
const { $schema: _schema, $id: _id, ...changes } = compileSchema("documents/library-changes").schema;

const assetFields = {
  kind: { enum: assetKinds },
  name: text,
  path: text,
  folder: yes,
  files: whole,
  bytes: whole,
  id: { ...text, description: "Git's id of the content: equal ids, equal content." },
  title: text,
  description: text,
};

export const librarySchemas: Record<string, object> = {
  LibraryRepository: record("A repository of the library; the commit is the head that was fetched last.", {
    repository: text,
    kind: { enum: ["user", "shared"] },
    commit: commitOrNull,
    webUrl: text,
  }),
  LibraryAsset: record("A folder or file directly below the folder of its kind.", assetFields),
  LibraryHit: record("An asset that was found.", {
    ...assetFields,
    repository: text,
    commit: text,
    score: { type: "number" },
  }),
  LibraryEntry: record("What stands in a folder.", {
    name: text,
    path: text,
    kind: { enum: ["file", "folder", "link", "submodule"] },
    executable: yes,
    bytes: whole,
    id: text,
  }),
  LibraryChange: record("The commit that was made; none where everything was so already.", {
    repository: text,
    changed: yes,
    commit: commitOrNull,
    files: {
      type: "array",
      items: record(
        "One file.",
        { path: text, action: { enum: ["create", "update", "delete", "move", "chmod"] }, from: text },
        ["from"],
      ),
    },
  }),
  LibraryChanges: changes,
};

/** The operations of `/library`. */
export function libraryPaths<O>({
  operation,
  json,
  problem,
  query,
}: Parts<O>): Record<string, Record<string, O>> {
  const commit = query("commit", "At this commit instead of the newest one.");
  const paging = [
    query("limit", "At most this many; 100 unless told, 1000 at most.", { type: "integer", minimum: 1 }),
    query("after", "The `next` of the page before, with the same `commit`."),
  ];
  const kind = query("kind", "Only of this kind.", { enum: assetKinds });
  const known = { name: "If-None-Match", in: "header", schema: text, description: "ETag of what you have." };
  const match = [
    { name: "If-Match", in: "header", schema: text, description: "ETag of the file you have seen." },
    { name: "If-None-Match", in: "header", schema: text, description: "`*`: only where there is none." },
  ];
  const seen = query("base", "The commit you have looked at; what has changed since is a conflict.");
  const message = query("message", "Of the commit; made from the files unless told.");
  const replace = query("replace", "Files that are there may be replaced.", yes);
  const same = { description: "You have it already." };
  const page = (name: string) =>
    record("A page at one commit.", {
      repository: text,
      commit: commitOrNull,
      items: { type: "array", items: ref(name) },
      next: { type: ["string", "null"], description: "For `after`; null at the end." },
    });
  const bytes = (types: string[]) => ({
    description: "Its bytes.",
    content: Object.fromEntries(types.map((type) => [type, { schema: text }])),
  });
  const changed = {
    "200": json("Everything was so already.", ref("LibraryChange")),
    "201": json("The commit that was made.", ref("LibraryChange")),
    "408": problem("The body came too slowly."),
    "409": problem("A file has changed, or is there already; `where` names it."),
    "412": problem("The file is not as If-Match says."),
    "413": problem("Too large; the file is named."),
    "415": problem("Neither a tar archive nor a form."),
    "422": problem("A path or name that is refused, or a refusal of the Git host."),
  };
  return {
    "/library": {
      get: operation("/library", "library", "Repositories you may see.", {
        responses: { "200": json("Users' first.", itemsOf("LibraryRepository")) },
      }),
    },
    "/library/search": {
      get: operation("/library/search", "library", "Assets by name and by what README and description say.", {
        parameters: [
          query("q", "Words; each is the beginning of a word that is looked for, and all must match."),
          kind,
          query("repository", "Only in this one."),
          paging[0] as object,
        ],
        responses: {
          "200": json(
            "Best first.",
            record("Hits.", {
              items: { type: "array", items: ref("LibraryHit") },
              more: { ...yes, description: "There are more than were asked for." },
            }),
          ),
        },
      }),
    },
    [`${base}/assets`]: {
      get: operation(`${base}/assets`, "library", "Assets of a repository, by kind and name.", {
        parameters: [kind, commit, ...paging, known],
        responses: { "200": json("Assets.", page("LibraryAsset")), "304": same },
      }),
    },
    [`${base}/folder`]: {
      get: operation(`${base}/folder`, "library", "What lies directly in a folder.", {
        parameters: [query("path", "The root unless told."), commit, ...paging, known],
        responses: {
          "200": json("Names.", page("LibraryEntry")),
          "304": same,
          "422": problem("No such path."),
        },
      }),
    },
    [`${base}/files/{path}`]: {
      get: operation(`${base}/files/{path}`, "library", "One file. The path may have several segments.", {
        parameters: [commit, known],
        responses: {
          "200": bytes(["application/octet-stream"]),
          "304": same,
          "422": problem("A path that is refused."),
        },
      }),
      put: operation(`${base}/files/{path}`, "library", "Writes one file: the body, whatever its kind.", {
        requestBody: {
          required: true,
          content: { "application/octet-stream": { schema: { ...text, format: "binary" } } },
        },
        parameters: [
          query("executable", "Its executable bit; kept unless told.", yes),
          seen,
          replace,
          message,
          ...match,
        ],
        responses: changed,
      }),
      delete: operation(`${base}/files/{path}`, "library", "Deletes a file, or a folder with all in it.", {
        parameters: [seen, message, ...match],
        responses: changed,
      }),
    },
    [`${base}/changes`]: {
      post: operation(`${base}/changes`, "library", "Writes, deletes, moves and copies in one commit.", {
        requestBody: { required: true, content: { "application/json": { schema: ref("LibraryChanges") } } },
        responses: changed,
      }),
    },
    [`${base}/upload`]: {
      post: operation(`${base}/upload`, "library", "Uploads many files in one commit.", {
        parameters: [query("into", "Folder that names are relative to."), seen, replace, message],
        requestBody: {
          required: true,
          content: {
            "application/x-tar": { schema: { ...text, format: "binary" } },
            "multipart/form-data": {
              schema: {
                type: "object",
                description: "Any number of files, each with its path as file name.",
                properties: { executable: { type: "array", items: text } },
              },
            },
          },
        },
        responses: changed,
      }),
    },
    [`${base}/archive`]: {
      get: operation(`${base}/archive`, "library", "A file, or a folder with all in it.", {
        parameters: [
          query("path", "The whole repository unless told."),
          query("format", "tar unless told.", { enum: ["tar", "tar.gz", "zip"] }),
          commit,
          known,
        ],
        responses: {
          "200": bytes(["application/x-tar", "application/gzip", "application/zip"]),
          "304": same,
          "422": problem("A path that is refused, or a link that leads out of the folder."),
        },
      }),
    },
    "/library/graphql": {
      post: operation("/library/graphql", "library", "`listDirectory` and `readFile`, in GitLab's shapes.", {
        requestBody: {
          required: true,
          content: {
            "application/json": {
              schema: record(
                "A question.",
                {
                  query: text,
                  variables: { type: ["object", "null"] },
                  operationName: { type: ["string", "null"] },
                },
                ["variables", "operationName"],
              ),
            },
          },
        },
        responses: {
          "200": json("The answer.", { type: "object", additionalProperties: true }),
          "400": {
            description: "Not understood, or beyond the limits.",
            content: {
              "application/json": { schema: { type: "object", additionalProperties: true } },
              "application/problem+json": { schema: ref("Problem") },
            },
          },
        },
      }),
    },
  };
}
