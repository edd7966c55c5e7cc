import type { Parts } from "./openapi-library.ts";
import { itemsOf, record, ref } from "./openapi-schemas.ts";

const text = { type: "string" } as const;
const whole = { type: "integer" } as const;
const textOrNull = { type: ["string", "null"] };
const timeOrNull = { type: ["string", "null"], format: "date-time" };
const texts = { type: "object", additionalProperties: text };

const list = "/users/{user}/pipelines";
const one = `${list}/{id}`;
const job = "/users/{user}/jobs/{id}";

const fields = {
  id: whole,
  user: text,
  ref: text,
  commit: text,
  state: ref("PipelineState"),
  source: { ...text, description: "What made it, in the Git host's words." },
  createdAt: { ...text, format: "date-time" },
  webUrl: text,
};

export const pipelineSchemas: Record<string, object> = {
  PipelineState: {
    enum: [
      ...["waiting", "manual", "delayed", "running", "cancelling"],
      ...["succeeded", "failed", "cancelled", "skipped"],
    ],
    description: "manual: waits for a person; the last four are ends.",
  },
  Pipeline: record("A pipeline of the user's project on the Git host.", fields),
  PipelineTree: record("With its jobs, and the pipelines that these have triggered.", {
    ...fields,
    startedAt: timeOrNull,
    finishedAt: timeOrNull,
    startedBy: textOrNull,
    problem: { ...textOrNull, description: "What is wrong with the file it was made from." },
    jobs: { type: "array", items: ref("PipelineJob") },
  }),
  PipelineJob: record("A job.", {
    id: whole,
    name: text,
    stage: text,
    state: ref("PipelineState"),
    allowFailure: { type: "boolean" },
    startedAt: timeOrNull,
    finishedAt: timeOrNull,
    reason: textOrNull,
    webUrl: text,
    isTrigger: { type: "boolean", description: "It triggers a pipeline rather than printing a log." },
    downstream: { anyOf: [ref("PipelineTree"), { type: "null" }] },
  }),
};

/** The operations of pipelines. */
export function pipelinePaths<O>({
  operation,
  json,
  problem,
  query,
  body,
}: Parts<O> & { body: (schema: object) => object }): Record<string, Record<string, O>> {
  const lastId = {
    name: "Last-Event-ID",
    in: "header",
    schema: text,
    description: "Go on behind this event.",
  };
  const refused = { "422": problem("The Git host refused, in its words.") };
  const unchangeable = { "409": problem("It is in no state for that."), ...refused };
  const tree = { "200": json("As it is then.", ref("PipelineTree")) };
  const changed = {
    "200": json("The job; retrying gives another one.", ref("PipelineJob")),
    ...unchangeable,
  };
  const stream = (description: string, kinds: string[]) => ({
    description,
    content: Object.fromEntries(kinds.map((kind) => [kind, { schema: text }])),
  });
  return {
    [list]: {
      get: operation(list, "pipelines", "Pipelines of a user's project, newest first, children left out.", {
        parameters: [
          query("limit", "At most this many; 20 unless told, 100 at most.", { type: "integer", minimum: 1 }),
          query("ref", "Only of this branch or tag."),
        ],
        responses: { "200": json("Pipelines.", itemsOf("Pipeline")), ...refused },
      }),
      post: operation(list, "pipelines", "Starts a pipeline, with the caller's own token.", {
        requestBody: body({
          type: "object",
          properties: {
            ref: { ...text, description: "A branch or tag; the default branch unless told." },
            twin: { ...text, description: "Short for the variable DTName." },
            operation: { ...text, description: "Short for the variable DTOperation." },
            variables: texts,
            inputs: {
              type: "object",
              additionalProperties: true,
              description: "For `spec: inputs` of the file.",
            },
          },
        }),
        responses: {
          "201": json("It is made.", ref("Pipeline")),
          ...refused,
          "501": problem("The Git host can run no pipelines."),
        },
      }),
    },
    [one]: { get: operation(one, "pipelines", "One pipeline.", { responses: { ...tree, ...refused } }) },
    [`${one}/events`]: {
      get: operation(
        `${one}/events`,
        "pipelines",
        "The pipeline now and after each change, as Server-Sent Events.",
        {
          parameters: [lastId],
          responses: {
            "200": stream(
              "`pipeline` events, each the whole tree, whose id is its version; then one `end`.",
              ["text/event-stream"],
            ),
            ...refused,
          },
        },
      ),
    },
    [`${one}/cancel`]: {
      post: operation(`${one}/cancel`, "pipelines", "Cancels it. One that has ended stays as it is.", {
        responses: { ...tree, ...unchangeable },
      }),
    },
    [`${one}/retry`]: {
      post: operation(`${one}/retry`, "pipelines", "Runs again what has failed or was cancelled.", {
        responses: { ...tree, ...unchangeable },
      }),
    },
    [`${job}/play`]: {
      post: operation(`${job}/play`, "pipelines", "Starts a job that waits for a person.", {
        responses: changed,
      }),
    },
    [`${job}/cancel`]: {
      post: operation(`${job}/cancel`, "pipelines", "Cancels a job.", { responses: changed }),
    },
    [`${job}/retry`]: {
      post: operation(`${job}/retry`, "pipelines", "Runs a job again.", { responses: changed }),
    },
    [`${job}/log`]: {
      get: operation(`${job}/log`, "pipelines", "What a job has printed, live with `follow` or as events.", {
        parameters: [
          query("follow", "Go on until the job has ended.", { type: "boolean" }),
          query("after", "Begin behind the line with this event id.", { type: "integer" }),
          lastId,
        ],
        responses: {
          "200": stream("Lines. An event's id is its byte offset; after the job's end comes one `end`.", [
            "text/plain",
            "text/event-stream",
          ]),
          "406": problem("No such representation."),
          ...refused,
        },
      }),
    },
  };
}
