import { itemsOf, ref } from "./openapi-schemas.ts";

const text = { type: "string" };
const whole = { type: "integer" };
const time = { type: "string", format: "date-time" };
const orNull = (schema: { type: string }) => ({ ...schema, type: [schema.type, "null"] });
const record = (description: string, properties: Record<string, object>, optional: string[] = []) => ({
  type: "object",
  description,
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
  properties,
});

const states = [
  "queued",
  "pulling",
  "building",
  "creating",
  "starting",
  "ready",
  "failed",
  "stopping",
  "stopped",
];
const packages = record("Packages.", {
  apt: { type: "array", items: text },
  pip: { type: "array", items: text },
});

/** Shapes of `schemas/workspace-view.ts`. */
export const workspaceSchemas: Record<string, object> = {
  Workspace: record("One user's workspace: what was asked for and what is seen.", {
    user: text,
    state: { enum: states },
    since: orNull(time),
    reason: orNull(text),
    desired: { enum: ["running", "stopped", null], description: "Null: nobody ever asked for it." },
    applied: { type: "boolean", description: "The runner has seen the newest wish." },
    session: orNull(whole),
    requestedBy: orNull(text),
    template: { anyOf: [record("A template.", { template: text, packages }), { type: "null" }] },
    image: orNull(text),
    resources: {
      anyOf: [
        record(
          "At most.",
          { cpus: { type: "number" }, memoryBytes: whole, shmBytes: whole, pids: whole, diskBytes: whole },
          ["diskBytes"],
        ),
        { type: "null" },
      ],
    },
    idleStopAfterMs: orNull(whole),
    stages: {
      type: "array",
      items: record("A stage of this session; `tookMs` is null while it lasts.", {
        name: { enum: states },
        startedAt: time,
        tookMs: orNull({ type: "number" }),
      }),
    },
    behind: { ...orNull(text), description: "Why the next start will bring another image." },
    services: { type: "array", items: ref("WorkspaceService") },
    workTree: {
      anyOf: [
        record(
          "What Git says inside; it is the user's own word.",
          {
            checkedAt: time,
            problem: text,
            branch: text,
            commit: text,
            ahead: whole,
            behind: whole,
            changed: { type: "array", items: text },
          },
          ["problem", "branch", "commit", "ahead", "behind"],
        ),
        { type: "null" },
      ],
    },
    disk: {
      anyOf: [
        record("What its files take, as measured last.", { usedBytes: whole, limitBytes: whole }, [
          "limitBytes",
        ]),
        { type: "null" },
      ],
    },
    lastActiveAt: orNull(time),
    stopsIdleAt: orNull(time),
  }),
  WorkspaceService: record("A tool; its path is below the workspace's own address.", {
    name: text,
    title: text,
    path: text,
  }),
  OpenedWorkspace: record("Lets in whoever has it, until the session ends.", { user: text, url: text }),
};

interface Tools {
  operation: (
    path: string,
    tag: string,
    summary: string,
    more: { responses: Record<string, object> },
  ) => object;
  json: (description: string, schema: object) => object;
  problem: (description: string) => object;
  body: (schema: object) => object;
  query: (name: string, description: string, schema?: object) => object;
}

/** The paths below `/workspaces`. */
export function workspacePaths<Operation>(tools: Tools): Record<string, Record<string, Operation>> {
  const { json, problem, body, query } = tools;
  const base = "/workspaces/{user}";
  const operation = (path: string, summary: string, more: object) =>
    tools.operation(path, "workspaces", summary, more as { responses: Record<string, object> }) as Operation;
  const refusals = {
    "409": problem("Its workspace.yaml is broken, the repository is empty, or it does not run."),
    "422": problem("More than the platform gives, or an image that it does not allow."),
  };
  const accepted = { "202": json("The wish is on disk.", ref("Workspace")), ...refusals };
  const wish = (path: string, summary: string) => ({
    [path]: { post: operation(path, summary, { responses: accepted }) },
  });
  return {
    "/workspaces": {
      get: operation("/workspaces", "Workspaces the caller may use.", {
        responses: { "200": json("Sorted by user.", itemsOf("Workspace")) },
      }),
    },
    [base]: {
      get: operation(base, "One workspace.", { responses: { "200": json("It.", ref("Workspace")) } }),
    },
    [`${base}/state`]: {
      put: operation(`${base}/state`, "Starts or stops it; stopping also cancels a start.", {
        requestBody: body({
          type: "object",
          required: ["state"],
          properties: { state: { enum: ["running", "stopped"] } },
        }),
        responses: accepted,
      }),
    },
    ...wish(`${base}/restart`, "Ends the session and begins a new one, as workspace.yaml says today."),
    ...wish(`${base}/rebuild`, "The same with an image that is made, or pulled, anew."),
    ...wish(`${base}/keep-alive`, "Its idle time begins anew."),
    [`${base}/open`]: {
      post: operation(`${base}/open`, "An address that lets in whoever has it.", {
        responses: { "200": json("The address.", ref("OpenedWorkspace")), ...refusals },
      }),
    },
    [`${base}/services`]: {
      get: operation(`${base}/services`, "Its tools, while it is ready.", {
        responses: { "200": json("Tools.", itemsOf("WorkspaceService")) },
      }),
    },
    [`${base}/log`]: {
      get: operation(`${base}/log`, "What its tools, or the build of its image, have printed.", {
        parameters: [
          query("of", "`session`, unless told, or `build`.", { enum: ["session", "build"] }),
          query("follow", "Go on until the session has ended; of a session only.", { type: "boolean" }),
        ],
        responses: {
          "200": {
            description: "Lines.",
            content: {
              "text/plain": { schema: { type: "string" } },
              "application/x-ndjson": { schema: { type: "string" } },
            },
          },
          "406": problem("No such representation."),
        },
      }),
    },
  };
}
