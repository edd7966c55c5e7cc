import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Deliveries } from "#controller/intake/deliveries";
import { projectSecret, wholeHost } from "#controller/intake/project-secret";
import { receiveDelivery } from "#controller/intake/receive-delivery";
import { ActionNeededError, TryLaterError } from "#core/errors";

const master = "0123456789abcdef0123456789abcdef";
const { token, signingToken } = projectSecret(master, 7);
let folder: string;
let deliveries: Deliveries;
let nudged: string[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hostile-intake-"));
  deliveries = await Deliveries.open(folder, () => {});
});
afterAll(async () => {
  await deliveries.close();
  await rm(folder, { recursive: true, force: true });
});

/** The answer's status, or the error's name; anything but our two kinds of error is thrown on. */
async function receive(headers: Record<string, string | string[] | undefined>, rawBody: Buffer) {
  const deps = {
    hostOf: () => ({ kind: "gitlab", name: undefined }) as const,
    secretOf: (id: number) => projectSecret(master, id),
    deliveries,
    nudgeProject: (path: string) => void nudged.push(path),
    nudgeReview: () => {},
    lookAtReaders: () => {},
    lookAtPipeline: () => {},
  };
  try {
    return (await receiveDelivery({ kind: "gitlab", headers, rawBody, projectId: 7 }, deps)).status;
  } catch (error) {
    if (error instanceof ActionNeededError || error instanceof TryLaterError) return error.name;
    throw error;
  }
}

const known = [
  "x-gitlab-event",
  "x-gitlab-token",
  "idempotency-key",
  "webhook-id",
  "webhook-timestamp",
  "webhook-signature",
];
const value = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.array(fc.string(), { maxLength: 3 }),
  fc.constantFrom(undefined, "", "Push Hook", "System Hook", token, "v1,", "v1,AAAA", "1e999", "-1", "NaN"),
);
const headers = fc.dictionary(fc.oneof(fc.constantFrom(...known), fc.string()), value);
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  fc.json().map((text) => Buffer.from(text)),
);

test("whatever headers and bytes a stranger sends, he is refused in our own words", async () => {
  nudged = [];
  await fc.assert(
    fc.asyncProperty(headers, bytes, async (sent, body) => {
      const { "x-gitlab-token": _, ...without } = sent;
      expect(await receive(without, Buffer.from(body))).toBe("ActionNeededError");
    }),
  );
  expect(nudged).toEqual([]);
});

test("whatever bytes somebody who knows the token sends, the answer is one of ours, and only his project is nudged", async () => {
  nudged = [];
  const { "webhook-signature": _, ...noSignature } = Object.fromEntries(known.map((name) => [name, value]));
  await fc.assert(
    fc.asyncProperty(fc.record(noSignature), bytes, async (sent, body) => {
      const answer = await receive({ ...sent, "x-gitlab-token": token }, Buffer.from(body));
      expect([200, 202, "ActionNeededError"]).toContain(answer);
    }),
  );
  expect(nudged.filter((path) => path !== "dtaas/user7")).toEqual([]);
});

test("a push with any of its fields replaced by anything never names a project that could lead elsewhere", async () => {
  nudged = [];
  const push = {
    object_kind: "push",
    before: "a".repeat(40),
    after: "b".repeat(40),
    ref: "refs/heads/main",
    project_id: 7,
    project: { id: 7, path_with_namespace: "dtaas/user7", default_branch: "main" },
  };
  const nasty = fc.oneof(
    fc.anything(),
    fc.constantFrom("../..", "-x", "a/../b", "dtaas/\n", "ext::sh", "__proto__", "dtaas/user8", 8, "7", null),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...Object.keys(push), "project.path_with_namespace", "project.id"),
      nasty,
      async (field, replaced) => {
        const [outer = "", inner] = field.split(".");
        const changed = inner
          ? { ...push, project: { ...push.project, [inner]: replaced } }
          : { ...push, [outer]: replaced };
        const body = Buffer.from(JSON.stringify(changed, (_key, one) => (typeof one === "bigint" ? 1 : one)));
        const id = crypto.randomUUID();
        const now = new Date();
        const answer = await receive(
          {
            "x-gitlab-event": "Push Hook",
            "webhook-id": id,
            "webhook-timestamp": String(Math.floor(now.getTime() / 1_000)),
            "webhook-signature": new Webhook(signingToken).sign(id, now, body.toString("utf8")),
          },
          body,
        );
        expect([200, 202, "ActionNeededError"]).toContain(answer);
      },
    ),
  );
  for (const path of nudged) expect(path).toMatch(/^\w[\w.-]*(\/\w[\w.-]*)+$/);
});

test("the secret of one project is that of no other, and not that of the whole host", () => {
  fc.assert(
    fc.property(fc.nat(), fc.nat(), (a, b) => {
      fc.pre(a !== b);
      expect(projectSecret(master, a).token).not.toBe(projectSecret(master, b).token);
      if (a !== wholeHost)
        expect(projectSecret(master, a).signingToken).not.toBe(projectSecret(master, wholeHost).signingToken);
    }),
  );
});
