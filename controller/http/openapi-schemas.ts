// The shapes of `schemas/api.ts` as JSON Schema, for the OpenAPI document. Tests hold answers against them.

const text = { type: "string" } as const;
const whole = { type: "integer" } as const;
const time = { type: "string", format: "date-time" } as const;
const texts = { type: "array", items: text } as const;

function orNull(schema: { type: string }): object {
  return { ...schema, type: [schema.type, "null"] };
}

function refOrNull(name: string): object {
  return { anyOf: [ref(name), { type: "null" }] };
}

/** A reference to one of the schemas below. */
export function ref(name: string): object {
  return { $ref: `#/components/schemas/${name}` };
}

/** An object all of whose properties are there, but for those named in `optional`. */
export function record(
  description: string,
  properties: Record<string, object>,
  optional: string[] = [],
): object {
  const required = Object.keys(properties).filter((name) => !optional.includes(name));
  return { type: "object", description, required, properties };
}

function list(properties: Record<string, object>): object {
  return { type: "array", items: { type: "object", required: Object.keys(properties), properties } };
}

export function itemsOf(name: string): object {
  return record("A list.", { items: { type: "array", items: ref(name) } });
}

const phases = [
  "pending",
  "waiting",
  "building",
  "creating",
  "starting",
  "live",
  "completed",
  "ready",
  "restarting",
  "stopping",
  "unknown",
  "failed",
  "refused",
];
const causes = [
  "state",
  "restart",
  "request",
  "rerun",
  "schedule",
  "return-to-last-good",
  "removal",
  "preview",
];
const outcomes = ["succeeded", "failed", "timed-out", "cancelled", "stopped", "lost"];

const revisionReason = record("A revision and why it was left.", { revision: text, reason: text });
const runFields = {
  id: text,
  user: text,
  twin: text,
  operation: orNull(text),
  cause: { enum: [...causes, null] },
  state: { enum: ["waiting", "running", "ended"] },
  cancelRequested: { type: "boolean" },
  requestedBy: orNull(text),
  rerunOf: orNull(text),
  attempt: orNull(whole),
  revision: orNull(text),
  worktree: { type: "boolean", description: "It ran a copy of the files in the user's workspace." },
  createdAt: orNull(time),
  startedAt: orNull(time),
  finishedAt: orNull(time),
  outcome: { enum: [...outcomes, null] },
  exitCode: orNull(whole),
  reason: orNull(text),
};
const deliveryFields = {
  id: text,
  acceptedAt: time,
  event: text,
  project: orNull(text),
  outcome: { enum: ["accepted", "applied", "unchanged", "refused", "ignored", "failed"] },
  reason: orNull(text),
  finishedAt: orNull(time),
  revision: orNull(text),
  generation: orNull(whole),
};

export const schemas: Record<string, object> = {
  Phase: { enum: phases, description: "What the platform sees the twin do." },
  Diagnostic: record(
    "One finding about what somebody wrote.",
    {
      code: text,
      severity: { enum: ["error", "warning"] },
      file: text,
      line: whole,
      column: whole,
      message: text,
      hint: text,
      mend: {
        type: "object",
        description: "Where there is no doubt: what stands at this place, and what it must be instead.",
        required: ["from", "to"],
        properties: { from: text, to: text },
      },
    },
    ["hint", "mend"],
  ),
  Twin: record("One twin: what Git asks for and what was observed.", {
    user: text,
    name: text,
    title: text,
    description: text,
    labels: { type: "object", additionalProperties: text },
    phase: ref("Phase"),
    since: orNull(time),
    reason: orNull(text),
    state: {
      enum: ["running", "stopped", null],
      description: "As Git asks; null when Git no longer has it.",
    },
    suspend: { type: "boolean" },
    derived: { type: "boolean", description: "It has no dt.yaml." },
    revision: { ...orNull(text), description: "Commit of what runs, or ran last." },
    desiredRevision: { ...orNull(text), description: "Commit of what shall run." },
    sourceKey: {
      ...orNull(text),
      description: "Hash of all from Git that decides how it runs: of what runs.",
    },
    desiredSourceKey: { ...orNull(text), description: "The same of what shall run." },
    applied: { type: "boolean", description: "The runner has looked at the newest desired state." },
    runId: orNull(text),
    containerId: orNull(text),
    image: orNull(text),
    restarts: whole,
    broken: refOrNull("Broken"),
    returnedFrom: { anyOf: [revisionReason, { type: "null" }] },
    waitingFor: texts,
    dependsOn: texts,
    operations: texts,
    schedule: { type: "array", items: ref("Schedule") },
    lastRun: refOrNull("Run"),
  }),
  Schedule: record("An operation that the platform runs by itself.", {
    operation: text,
    cron: { ...text, description: "Five fields, read in the time zone." },
    timeZone: text,
    next: { ...orNull(time), description: "Null while the twin is suspended." },
    last: {
      anyOf: [
        record("The last time that came: its run, or why there is none.", {
          at: time,
          runId: orNull(text),
          skipped: orNull(text),
        }),
        { type: "null" },
      ],
    },
  }),
  Broken: record("A revision whose spec has errors.", {
    revision: text,
    diagnostics: { type: "array", items: ref("Diagnostic") },
  }),
  Run: record("One execution of an operation.", runFields),
  RunDetails: record("A run with everything kept about it.", {
    ...runFields,
    manifest: {
      type: ["object", "null"],
      description: "Everything needed to do it again.",
      additionalProperties: true,
    },
    result: {
      type: ["object", "null"],
      description: "How it ended, its stages and outputs.",
      additionalProperties: true,
    },
  }),
  AcceptedRun: record("Accepted, and on disk.", { id: text, user: text, twin: text, operation: text }),
  Output: record("A kept file.", { path: text, bytes: whole }),
  StateChange: record("What was committed.", {
    user: text,
    twin: text,
    state: { enum: ["running", "stopped"] },
    changed: { type: "boolean", description: "False: Git said so already." },
    commit: orNull(text),
  }),
  SavedOutputs: record("What a run kept, in one commit.", {
    user: text,
    twin: text,
    run: text,
    branch: text,
    files: { ...whole, description: "All files of the run, those that were there already included." },
    changed: { type: "boolean", description: "False: the branch has all of them already." },
    commit: orNull(text),
  }),
  Rollback: record("A twin's folder as it was, in one commit.", {
    user: text,
    twin: text,
    from: { ...text, description: "Head of the default branch before." },
    to: { ...text, description: "The revision that counts again." },
    files: { ...whole, description: "Changes to files." },
    commit: text,
    branch: { ...text, description: "Where the commit is." },
    mergeRequest: {
      type: ["object", "null"],
      description: "To be merged by somebody; null where the default branch has the commit.",
      required: ["iid", "url"],
      properties: { iid: whole, url: text },
    },
  }),
  Delivery: record("One webhook call and what became of it.", deliveryFields),
  DeliveryDetails: record("A delivery with the twins of its project as they are now.", {
    ...deliveryFields,
    twins: { type: "array", items: ref("Twin") },
  }),
  SharedAssets: record("What one user sees at /workspace/common.", {
    user: text,
    repositories: list({ project: text, commit: text, folder: orNull(text) }),
    assets: list({ path: text, project: text }),
    hidden: list({ path: text, project: text, behind: text }),
    problems: list({ project: text, reason: text }),
  }),
  Plan: record("What would be done now, by the last observation.", {
    user: text,
    generation: orNull(whole),
    revision: orNull(text),
    observedAt: orNull(time),
    observedAgeMs: orNull({ type: "number" }),
    twins: {
      type: "array",
      items: record("One twin.", {
        name: text,
        phase: ref("Phase"),
        reason: orNull(text),
        steps: { type: "array", items: record("One step.", { kind: text, text }) },
      }),
    },
  }),
  Secret: record("A secret by its name. No value is ever told.", {
    name: text,
    origin: { enum: ["variable", "file", "none"] },
    of: orNull(text),
    scope: orNull(text),
    protected: { type: "boolean" },
    masked: { type: "boolean" },
    declaredBy: texts,
    remark: orNull(text),
  }),
  SecretChange: record("What was done, and which twins use the secret.", {
    user: text,
    name: text,
    scope: text,
    change: { enum: ["created", "replaced", "deleted"] },
    declaredBy: texts,
    remark: orNull(text),
  }),
  SealingKey: record("What secrets in the repository are sealed to.", {
    user: text,
    project: text,
    publicKey: text,
  }),
  Me: record("Who the token belongs to.", {
    id: whole,
    username: text,
    name: text,
    administrator: { type: "boolean", description: "A maintainer of the platform project." },
  }),
  Status: record("The platform itself.", {
    version: text,
    node: text,
    startedAt: time,
    users: whole,
    twins: { type: "object", additionalProperties: whole },
    queues: {
      type: "object",
      additionalProperties: record("Jobs in one queue.", {
        waiting: whole,
        active: whole,
        delayed: whole,
        failed: whole,
      }),
    },
    resync: record("Last look at every project.", { at: orNull(time), ageMs: orNull({ type: "number" }) }),
  }),
  Problem: record(
    "RFC 9457 problem details.",
    {
      type: text,
      title: text,
      status: whole,
      detail: text,
      code: { ...text, description: "Stable; see docs/api.md." },
      requestId: text,
      hint: text,
      where: record("In the user's own text.", { file: text, line: whole, column: whole }, [
        "file",
        "line",
        "column",
      ]),
      retryAfterMs: { type: "number" },
    },
    ["hint", "where", "retryAfterMs"],
  ),
};
