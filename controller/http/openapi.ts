import { libraryPaths, librarySchemas } from "./openapi-library.ts";
import { pipelinePaths, pipelineSchemas } from "./openapi-pipelines.ts";
import { previewPaths, previewSchemas } from "./openapi-previews.ts";
import { remotePaths, remoteSchemas } from "./openapi-remotes.ts";
import { itemsOf, ref, schemas } from "./openapi-schemas.ts";
import { workspacePaths, workspaceSchemas } from "./openapi-workspaces.ts";

interface Operation {
  summary: string;
  tags: string[];
  parameters?: object[];
  requestBody?: object;
  responses: Record<string, object>;
  security?: object[];
}

const problem = (description: string) => ({
  description,
  content: { "application/problem+json": { schema: ref("Problem") } },
});
const json = (description: string, schema: object) => ({
  description,
  content: { "application/json": { schema } },
});
const bodyAnswers = { "413": problem("The body is too large."), "415": problem("The body is no JSON.") };
const body = (schema: object) => ({ required: true, content: { "application/json": { schema } } });
const pathParameter = (name: string) => ({ name, in: "path", required: true, schema: { type: "string" } });
const query = (name: string, description: string, schema: object = { type: "string" }) => ({
  name,
  in: "query",
  description,
  schema,
});
const many = { type: "array", items: { type: "string" } };
const whole = { type: "integer", minimum: 1 };

const idempotencyKey = {
  name: "Idempotency-Key",
  in: "header",
  description:
    "Of the caller's choice, such as a UUID: the same key with the same request within 24 hours is the same run; with another request it is refused (422).",
  schema: { type: "string", pattern: "^[\\x21-\\x7e]{1,255}$" },
};

const answersToAll = {
  "400": problem("The request cannot be read."),
  "401": problem("No token, or one that the Git host does not know."),
  "403": problem("Seen, but not allowed."),
  "404": problem("Not there, or not to be seen."),
  "429": problem("Too many."),
  "500": problem("A fault of the platform; the request id is in its log."),
  "502": problem("The Git host answers oddly."),
  "503": problem("Try again later."),
  "507": problem("The disk is full."),
};

/** An operation; parameters of the path are taken from it. */
function operation(
  path: string,
  tag: string,
  summary: string,
  more: Omit<Operation, "summary" | "tags">,
): Operation {
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => pathParameter(name ?? ""));
  const parameters = [...inPath, ...(more.parameters ?? [])];
  return {
    summary,
    tags: [tag],
    ...more,
    ...(parameters.length === 0 ? {} : { parameters }),
    responses: { ...answersToAll, ...(more.requestBody ? bodyAnswers : {}), ...more.responses },
  };
}

const twin = "/twins/{user}/{twin}";
const runs = `${twin}/runs`;
const run = `${runs}/{id}`;

const secrets = "/users/{user}/secrets";
const secret = `${secrets}/{name}`;
const ofTwin = query("twin", "Only for this twin; without it, for all of the project.");

const paths: Record<string, Record<string, Operation>> = {
  ...libraryPaths({ operation, json, problem, query }),
  ...previewPaths({ operation, json, problem, query }),
  ...remotePaths({ operation, json, problem, query }),
  ...pipelinePaths<Operation>({ operation, json, problem, body, query }),
  "/openapi.json": {
    get: {
      summary: "This document.",
      tags: ["platform"],
      security: [],
      responses: { "200": json("OpenAPI 3.1.", { type: "object", additionalProperties: true }) },
    },
  },
  "/me": {
    get: operation("/me", "platform", "Who the token belongs to.", {
      responses: { "200": json("You.", ref("Me")) },
    }),
  },
  "/status": {
    get: operation("/status", "platform", "State of the platform, for its administrators.", {
      responses: { "200": json("Counts, queues and ages.", ref("Status")) },
    }),
  },
  "/users/{user}/plan": {
    get: operation("/users/{user}/plan", "twins", "What would be done now for one user.", {
      responses: { "200": json("By the last observation, with its age.", ref("Plan")) },
    }),
  },
  [secrets]: {
    get: operation(secrets, "secrets", "Secrets of a user's project, by name. No value is told.", {
      responses: {
        "200": json("Sorted by name.", itemsOf("Secret")),
        "422": problem("The Git host refused."),
      },
    }),
  },
  [secret]: {
    put: operation(secret, "secrets", "Sets or replaces a secret, with the caller's own token.", {
      parameters: [ofTwin, query("mustExist", "`true`: only replaces.", { type: "boolean" })],
      requestBody: body({
        type: "object",
        required: ["value"],
        properties: { value: { type: "string", maxLength: 10_000, writeOnly: true } },
      }),
      responses: {
        "200": json("What was done.", ref("SecretChange")),
        "422": problem("The Git host refused."),
      },
    }),
    delete: operation(secret, "secrets", "Deletes a secret, with the caller's own token.", {
      parameters: [ofTwin],
      responses: {
        "200": json("What was done.", ref("SecretChange")),
        "422": problem("The Git host refused."),
      },
    }),
  },
  "/users/{user}/sealing-key": {
    get: operation(
      "/users/{user}/sealing-key",
      "secrets",
      "What a secret is sealed to before it is committed.",
      {
        responses: {
          "200": json("The runner's public key and the project.", ref("SealingKey")),
          "409": problem("There is none."),
        },
      },
    ),
  },
  "/users/{user}/assets": {
    get: operation("/users/{user}/assets", "twins", "What one user sees of shared assets.", {
      responses: { "200": json("Where each comes from, and what is hidden.", ref("SharedAssets")) },
    }),
  },
  "/twins": {
    get: operation("/twins", "twins", "All twins the caller may see.", {
      parameters: [
        query("user", "Only of this user."),
        query("phase", "Only in this phase; may be repeated.", many),
        query("label", "Only with this label, as key=value; may be repeated, and all must match.", many),
      ],
      responses: { "200": json("Sorted by user and name.", itemsOf("Twin")) },
    }),
  },
  [twin]: {
    get: operation(twin, "twins", "One twin.", { responses: { "200": json("The twin.", ref("Twin")) } }),
  },
  [`${twin}/state`]: {
    put: operation(
      `${twin}/state`,
      "twins",
      "Commits `state:` to the twin's dt.yaml, with the caller's own token.",
      {
        requestBody: body({
          type: "object",
          required: ["state"],
          properties: { state: { enum: ["running", "stopped"] } },
        }),
        responses: {
          "200": json("What was committed.", ref("StateChange")),
          "409": problem("The file cannot be changed, or has moved on."),
          "422": problem("The Git host refused."),
        },
      },
    ),
  },
  [`${twin}/rollback`]: {
    post: operation(
      `${twin}/rollback`,
      "twins",
      "Makes a twin's folder as it was at a former revision, with the caller's own token.",
      {
        requestBody: body({
          type: "object",
          properties: {
            revision: {
              type: "string",
              description: "Id of a commit of the default branch; without it, the last one that was live.",
            },
            mergeRequest: {
              type: "boolean",
              description:
                "Propose it; so it is done, too, where the caller may not push to the default branch.",
            },
          },
        }),
        responses: {
          "200": json("The commit, and the merge request where there is one.", ref("Rollback")),
          "409": problem("There is nothing to roll back, or nothing is known to have been live."),
          "422": problem("The twin is not in that revision, has links, or the Git host refused."),
        },
      },
    ),
  },
  [runs]: {
    get: operation(runs, "runs", "Runs of a twin, newest first.", {
      parameters: [
        query("limit", "At most this many; 20 unless told, 200 at most.", whole),
        query("before", "Only runs older than the one with this id."),
      ],
      responses: { "200": json("Runs.", itemsOf("Run")) },
    }),
    post: operation(runs, "runs", "Runs an operation once.", {
      parameters: [idempotencyKey],
      requestBody: body({
        type: "object",
        required: ["operation"],
        properties: {
          operation: { type: "string" },
          parameters: {
            type: "object",
            description: "Values for this run alone, over those of dt.yaml; mappings are joined.",
            additionalProperties: true,
          },
          worktree: {
            type: "boolean",
            description: "Run a copy of the files in the user's workspace as they are now, committed or not.",
          },
        },
      }),
      responses: {
        "202": json("Accepted, and on disk.", ref("AcceptedRun")),
        "403": problem("`worktree` of somebody else's workspace."),
        "409": problem("Suspended or refused, or `worktree` while the workspace does not run."),
        "422": problem("The twin has no such operation, or the key came with another request."),
      },
    }),
  },
  [run]: {
    get: operation(run, "runs", "One run with its manifest and outcome.", {
      responses: { "200": json("The run.", ref("RunDetails")) },
    }),
    delete: operation(run, "runs", "Cancels a run.", {
      responses: {
        "202": json("The wish is on disk.", ref("Run")),
        "409": problem("It has ended, or is kept up by the twin's state."),
      },
    }),
  },
  [`${run}/rerun`]: {
    post: operation(
      `${run}/rerun`,
      "runs",
      "Does a former run again: the same commit, image and environment.",
      {
        parameters: [idempotencyKey],
        responses: {
          "202": json("Accepted, and on disk.", ref("AcceptedRun")),
          "409": problem("It never began, or the twin is suspended."),
          "422": problem("The key came with another request."),
        },
      },
    ),
  },
  [`${run}/log`]: {
    get: operation(`${run}/log`, "runs", "The log of a run, live with `follow` or as Server-Sent Events.", {
      parameters: [
        query("follow", "Go on until the run has ended.", { type: "boolean" }),
        query("after", "Begin behind the line with this event id.", { type: "integer" }),
        { name: "Last-Event-ID", in: "header", schema: { type: "string" }, description: "As `after`." },
      ],
      responses: {
        "200": {
          description: "Lines. An event's id is its offset; after the outcome comes one event `end`.",
          content: {
            "text/plain": { schema: { type: "string" } },
            "application/x-ndjson": { schema: { type: "string" } },
            "text/event-stream": { schema: { type: "string" } },
          },
        },
        "406": problem("No such representation."),
      },
    }),
  },
  [`${run}/outputs`]: {
    get: operation(`${run}/outputs`, "runs", "Files the run kept.", {
      responses: { "200": json("Files.", itemsOf("Output")) },
    }),
  },
  [`${run}/save`]: {
    post: operation(`${run}/save`, "runs", "Commits what the run kept, with the caller's own token.", {
      requestBody: body({
        type: "object",
        required: ["branch"],
        properties: { branch: { type: "string", description: "Made where it is not there." } },
      }),
      responses: {
        "200": json("The commit, or that there is none to make.", ref("SavedOutputs")),
        "409": problem("It has not ended or kept nothing, or the branch moved again and again."),
        "422": problem("Too much for one commit, a name that is refused, or the Git host refused."),
      },
    }),
  },
  [`${run}/outputs/{path}`]: {
    get: operation(`${run}/outputs/{path}`, "runs", "One kept file. The path may have several segments.", {
      responses: {
        "200": {
          description: "Its bytes.",
          content: { "application/octet-stream": { schema: { type: "string" } } },
        },
      },
    }),
  },
  ...workspacePaths<Operation>({ operation, json, problem, body, query }),
  "/events": {
    get: operation(
      "/events",
      "twins",
      "Phase changes of the twins the caller may see, as Server-Sent Events.",
      {
        responses: {
          "200": {
            description:
              "First `ready`: list the twins after it and nothing is missed. Then `phase` events, and `preview` events for previews of merge requests.",
            content: { "text/event-stream": { schema: { type: "string" } } },
          },
        },
      },
    ),
  },
  "/deliveries": {
    get: operation(
      "/deliveries",
      "deliveries",
      "Webhook deliveries of projects the caller may see, newest first.",
      {
        parameters: [query("limit", "At most this many; 50 unless told, 500 at most.", whole)],
        responses: { "200": json("Deliveries.", itemsOf("Delivery")) },
      },
    ),
  },
  "/deliveries/{id}": {
    get: operation("/deliveries/{id}", "deliveries", "A delivery, its outcome, and the twins it concerns.", {
      responses: { "200": json("The delivery.", ref("DeliveryDetails")) },
    }),
  },
};

/** The OpenAPI 3.1 document of everything below `/api/v1`. */
export function openApiDocument(version: string) {
  return {
    openapi: "3.1.0",
    info: {
      title: "DTaaS",
      version,
      description: "Digital Twin as a Service. Rights are memberships on the Git host; see docs/rights.md.",
    },
    servers: [{ url: "/api/v1" }],
    security: [{ bearer: [] }, { privateToken: [] }, { session: [] }],
    paths,
    components: {
      securitySchemes: {
        bearer: { type: "http", scheme: "bearer", description: "A personal access token of the Git host." },
        privateToken: { type: "apiKey", in: "header", name: "PRIVATE-TOKEN" },
        session: {
          type: "apiKey",
          in: "cookie",
          name: "dtaas_session",
          description:
            "Of a browser that has signed in at /auth/login (`__Host-dtaas_session` with https). What changes something also needs the header `X-DTaaS-Request: 1`, from a page of the platform's own origin.",
        },
      },
      schemas: {
        ...schemas,
        ...librarySchemas,
        ...previewSchemas,
        ...remoteSchemas,
        ...pipelineSchemas,
        ...workspaceSchemas,
      },
    },
  };
}
