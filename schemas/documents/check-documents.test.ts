import { describe, expect, expectTypeOf, test } from "vitest";
import { ActionNeededError } from "#core/errors";
import { deriveTwin } from "../derive-twin.ts";
import type { DesiredState, PlatformSettings, RunRequest } from "../desired-state.ts";
import type { BuildJobDocument } from "../generated/build-job.ts";
import type { DesiredStateDocument } from "../generated/desired-state.ts";
import type { ObservedJobDocument } from "../generated/observed-job.ts";
import type { ObservedPreviewsDocument } from "../generated/observed-previews.ts";
import type { ObservedStateDocument } from "../generated/observed-state.ts";
import type { PlatformSettingsDocument } from "../generated/platform-settings.ts";
import type { ProjectJobDocument } from "../generated/project-job.ts";
import type { ReviewJobDocument } from "../generated/review-job.ts";
import type { RunManifestDocument } from "../generated/run-manifest.ts";
import type { RunOutcomeDocument } from "../generated/run-outcome.ts";
import type { RunRequestDocument } from "../generated/run-request.ts";
import type { SealedSecretsDocument } from "../generated/sealed-secrets.ts";
import type { SecretEnvelopeDocument } from "../generated/secret-envelope.ts";
import type { UserJobDocument } from "../generated/user-job.ts";
import type { WantedPreviewsDocument } from "../generated/wanted-previews.ts";
import type { BuildJob, ObservedJob, ProjectJob, ReviewJob, UserJob } from "../jobs.ts";
import type { ObservedState } from "../observed-state.ts";
import { parseDigitalTwin } from "../parse-digital-twin.ts";
import type { ObservedPreviews, WantedPreviews } from "../previews.ts";
import type { RunManifest, RunOutcome } from "../run.ts";
import type { SealedSecrets, SecretEnvelope } from "../sealed-secrets.ts";
import {
  checkBuildJob,
  checkDesiredState,
  checkObservedJob,
  checkObservedPreviews,
  checkObservedState,
  checkPlatformSettings,
  checkProjectEvent,
  checkProjectJob,
  checkPushEvent,
  checkRunManifest,
  checkRunOutcome,
  checkRunRequest,
  checkSealedSecrets,
  checkSecretEnvelope,
  checkUserJob,
  checkWantedPreviews,
} from "./check-documents.ts";

const commit = "0123456789abcdef0123456789abcdef01234567";
const now = "2026-01-02T03:04:05.678Z";
const own = { project: "dtaas/user1", commit };

function desiredState(): DesiredState {
  const twin = deriveTwin("hello_world", ["create", "execute"]);
  const parsed = parseDigitalTwin(
    `apiVersion: dtaas/v1
kind: DigitalTwin
metadata: { name: incubator, labels: { domain: thermal } }
spec:
  workspace: { template: python, packages: { apt: [graphviz=2.42.2-7], pip: ["uvicorn[standard]==0.30.0"] } }
  assets: [{ digital-twin: common/digital_twins/base }]
  parameters: { upper: 36.5, on: true, name: lab, steps: [1, { at: 2 }], inner: { deep: { x: 0 } } }
  environment: { RATIO: 1.10 }
  lifecycle: { execute: { run: [python3, main.py], timeout: 24d, outputs: [data/out] } }
  dependsOn: [plant]
  health: { exec: ["true"] }
  schedule: { execute: { cron: "0 6 * * *", timeZone: Europe/Copenhagen } }
`,
    { file: "dt.yaml", folder: "incubator", user: "user1" },
  );
  if (parsed.document === undefined) throw new Error(JSON.stringify(parsed.diagnostics));
  const pinned = { sourceKey: "sha256:abc", revision: commit, own };
  return {
    version: 1,
    user: "user1",
    generation: 3,
    writtenAt: now,
    project: { id: 7, path: "dtaas/user1" },
    revision: commit,
    limits: { twins: 20, cpus: 1.5, memoryBytes: 1024 },
    twins: [
      { name: "hello_world", ...twin, ...pinned, admittedAt: now },
      { name: "too_much", ...twin, ...pinned, overLimit: "over the limit" },
      {
        name: "incubator",
        ...parsed.document,
        ...pinned,
        shared: [{ project: "dtaas/common", commit }],
        assetsFrom: ["dtaas/common"],
        withheld: { reason: "no" },
        brokenSince: {
          revision: commit,
          diagnostics: [
            {
              code: "unknown-field",
              severity: "error",
              file: "dt.yaml",
              line: 1,
              column: 2,
              message: "m",
              hint: "h",
            },
          ],
        },
      },
    ],
    refused: [{ name: "tank", revision: commit, diagnostics: [] }],
    view: {
      sources: [
        { ...own, folder: "common" },
        { project: "dtaas/common", commit },
      ],
      assets: [{ path: "models/tank", id: commit, from: 1 }],
      hidden: [{ path: "models/tank", from: 1, behind: 0 }],
      problems: [{ project: "lab/turbines", reason: "may not be read" }],
    },
  };
}

const request: RunRequest = {
  version: 1,
  runId: "20260102-030405-abcdef",
  user: "user1",
  twin: "incubator",
  operation: "analyse",
  requestedBy: "user1",
  requestedAt: now,
  parameters: { upper: 40, inner: { list: ["a", 1] } },
  scheduledFor: now,
};

const settings: PlatformSettings = { version: 1, retention: { runsMs: 1, logsMs: 2, imagesMs: 3 } };

const observed: ObservedState = {
  version: 1,
  user: "user1",
  generation: 3,
  observedAt: now,
  needs: [own, { project: "dtaas/common", commit }],
  twins: [
    { name: "a", phase: "live", since: now, restarts: 0, containerId: "ff", waitingFor: ["user2/b"] },
    {
      name: "b",
      phase: "failed",
      since: now,
      restarts: 5,
      reason: "exit code 1",
      returnedFrom: { revision: commit, reason: "not healthy in 60 s" },
    },
  ],
};

function manifest(): RunManifest {
  const { spec } = deriveTwin("a", ["execute"]);
  const command = spec.lifecycle["execute"];
  if (command === undefined) throw new Error("no command");
  return {
    version: 1,
    id: "run-1",
    user: "user1",
    twin: "a",
    operation: "execute",
    cause: "state",
    attempt: 1,
    sourceKey: "abc",
    revision: commit,
    own,
    workspace: spec.workspace,
    image: { hash: "abc", id: "sha256:def" },
    command,
    environment: { DT_TWIN: "a" },
    resources: spec.resources,
    createdAt: now,
  };
}

const outcome: RunOutcome = {
  outcome: "succeeded",
  exitCode: 0,
  startedAt: now,
  finishedAt: "2026-01-02T03:04:06Z",
  stages: [{ name: "running", startedAt: now, finishedAt: now }],
  outputs: [{ path: "data/out/results.csv", bytes: 12 }],
  logTruncated: false,
};

function wantedPreviews(): WantedPreviews {
  const { command, ...rest } = manifest();
  const { sourceKey, workspace, environment, resources } = rest;
  return {
    version: 1,
    user: "user1",
    id: "12",
    mergeRequest: { projectId: 7, projectPath: "dtaas/user1", iid: 12 },
    wantedAt: now,
    twins: [
      {
        ...{ name: "a", commit, attempt: 1, wantedAt: now, ttlMs: 3_600_000, durationMs: 300_000 },
        operations: [{ name: "execute", ...command }],
        compare: [{ file: "data/out/results.csv", column: "x", tolerance: 0.5 }],
        ...{
          sourceKey,
          own,
          shared: [{ project: "dtaas/common", commit }],
          workspace,
          environment,
          resources,
        },
        parameters: { upper: 40 },
      },
    ],
    refused: [{ name: "b", commit, reason: "its spec is broken" }],
  };
}

const observedPreviews: ObservedPreviews = {
  version: 1,
  user: "user1",
  id: "7-12",
  observedAt: now,
  twins: [
    {
      ...{
        name: "a",
        commit,
        attempt: 2,
        phase: "failed",
        since: now,
        reason: "execute ended with exit code 1",
      },
      runs: [
        {
          ...{ operation: "execute", run: "run-1", startedAt: now, finishedAt: now },
          ...{ outcome: "failed", counts: false, exitCode: 1, reason: "exit code 1" },
        },
      ],
    },
  ],
  needs: [own],
};

const push = {
  object_kind: "push",
  event_name: "push",
  before: "0".repeat(40),
  after: commit,
  ref: "refs/heads/main",
  checkout_sha: commit,
  user_username: "user1",
  project_id: 7,
  project: {
    id: 7,
    path_with_namespace: "dtaas/user1",
    default_branch: "main",
    name: "user1",
    ci_config_path: null,
  },
  commits: [],
  push_options: {},
};

const projectEvent = {
  event_name: "project_rename",
  project_id: 7,
  path_with_namespace: "dtaas/user2",
  old_path_with_namespace: "dtaas/user1",
  project_visibility: "private",
};

const buildJob: BuildJob = {
  hash: "abc",
  workspace: { template: "base", packages: { apt: [], pip: ["numpy"] } },
};

const envelope: SecretEnvelope = {
  version: 1,
  project: "dtaas/user1",
  twin: "a",
  name: "TOKEN",
  expiresAt: now,
  kind: "file",
  value: "YQ==",
};

const sealed: SealedSecrets = {
  version: 1,
  user: "user1",
  project: "dtaas/user1",
  twin: "a",
  secrets: [
    {
      name: "TOKEN",
      origin: "variable",
      version: "ab".repeat(32),
      recipient: "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p",
      expiresAt: now,
      sealedText: "-----BEGIN AGE ENCRYPTED FILE-----",
    },
  ],
};

const honest: [string, (value: unknown) => unknown, () => object][] = [
  ["desired state", checkDesiredState, desiredState],
  ["run request", checkRunRequest, () => request],
  ["observed state", checkObservedState, () => observed],
  ["list of previews", checkWantedPreviews, wantedPreviews],
  ["record of previews", checkObservedPreviews, () => observedPreviews],
  ["platform's settings", checkPlatformSettings, () => settings],
  ["run manifest", checkRunManifest, manifest],
  ["run outcome", checkRunOutcome, () => outcome],
  ["sealed secrets", checkSealedSecrets, () => sealed],
  ["secret envelope", checkSecretEnvelope, () => envelope],
  ["project job", checkProjectJob, () => ({ project: "dtaas/user1" })],
  ["user job", checkUserJob, () => ({ user: "user1" })],
  ["observed job", checkObservedJob, () => ({ user: "user1" })],
  ["build job", checkBuildJob, () => buildJob],
  ["push event", checkPushEvent, () => push],
  ["project event", checkProjectEvent, () => projectEvent],
];

describe("documents between processes", () => {
  test.each(honest)("an honest %s is handed back after a trip through JSON", (_name, check, make) => {
    const value: unknown = JSON.parse(JSON.stringify(make()));
    expect(check(value)).toBe(value);
  });

  test.each(honest)("a %s without one of its required fields is refused by name", (_name, check, make) => {
    for (const field of Object.keys(make())) {
      const value = { ...make(), [field]: undefined };
      try {
        check(JSON.parse(JSON.stringify(value)));
      } catch (error) {
        expect(error).toBeInstanceOf(ActionNeededError);
        expect(error).toMatchObject({ code: "DOCUMENT_INVALID", message: expect.stringContaining(field) });
      }
    }
    expect(() => check({})).toThrow(ActionNeededError);
    for (const nonsense of [null, undefined, [], "text", 5, true])
      expect(() => check(nonsense)).toThrow(ActionNeededError);
  });

  test.each(honest.filter(([name]) => !name.endsWith("event")))(
    "an unknown field in a %s is refused",
    (_n, check, make) => {
      expect(() => check({ ...make(), extra: 1 })).toThrow(/`?extra`?/);
    },
  );

  test("the message names the file, the path and the problem", () => {
    const value = desiredState();
    const broken = { ...value, twins: [{ ...value.twins[0], state: "runing" }] };
    expect(() => checkDesiredState(broken, "desired/user1.json")).toThrow(
      "desired/user1.json (desired-state) is invalid: `/twins/0/state` must be equal to one of the allowed values",
    );
  });

  test.each([
    ["the place of another's", { id: "../12" }],
    ["no number", { id: "0" }],
    ["a secret", { twins: [{ ...wantedPreviews().twins[0], secrets: [{ name: "TOKEN", env: true }] }] }],
    [
      "a file elsewhere",
      { twins: [{ ...wantedPreviews().twins[0], compare: [{ file: "../x", column: "a", tolerance: 0 }] }] },
    ],
  ])("a list of previews with %s is refused", (_name, change) => {
    expect(() => checkWantedPreviews({ ...wantedPreviews(), ...change })).toThrow(ActionNeededError);
  });

  test.each([
    ["a user that climbs out of its folder", { user: ".." }],
    ["a user with a slash", { user: "a/b" }],
    ["a user with a line break", { user: "a\nb" }],
  ])("a job that names %s is refused", (_name, job) => {
    expect(() => checkUserJob(job)).toThrow(ActionNeededError);
  });

  test("a build job cannot smuggle options or commands into an image", () => {
    for (const apt of ["-y", "a b", "a;b", "a\nRUN x", "$(x)", "a=`x`", "../a"]) {
      expect(() =>
        checkBuildJob({ ...buildJob, workspace: { template: "base", packages: { apt: [apt], pip: [] } } }),
      ).toThrow();
    }
    for (const pip of ["--index-url=x", "a b", "git+https://x", "a @ file:///x", "a;b", "a\nb", "-r x"]) {
      expect(() =>
        checkBuildJob({ ...buildJob, workspace: { template: "base", packages: { apt: [], pip: [pip] } } }),
      ).toThrow();
    }
    expect(() =>
      checkBuildJob({ ...buildJob, workspace: { ...buildJob.workspace, template: "../x" } }),
    ).toThrow();
  });

  test("a push event of an empty project, or that deletes a branch, is accepted", () => {
    const deleted = { ...push, after: "0".repeat(40), checkout_sha: null };
    expect(checkPushEvent(deleted).checkout_sha).toBeNull();
    const empty = { ...push, project: { ...push.project, default_branch: null } };
    expect(checkPushEvent(empty).project.default_branch).toBeNull();
  });

  test.each([
    ["another kind", { object_kind: "tag_push" }],
    ["a commit that is none", { after: "--upload-pack=x" }],
    ["a ref outside refs/", { ref: "main" }],
    ["a ref with a line break", { ref: "refs/heads/a\nb" }],
    ["no project", { project: null }],
    ["a project path that climbs", { project: { ...push.project, path_with_namespace: "../x y" } }],
    ["a project id as text", { project_id: "7" }],
  ])("a push event with %s is refused", (_name, change) => {
    expect(() => checkPushEvent({ ...push, ...change })).toThrow(ActionNeededError);
  });

  test("schemas and hand-written types say the same", () => {
    expectTypeOf<DesiredStateDocument>().toExtend<DesiredState>();
    expectTypeOf<DesiredState>().toExtend<DesiredStateDocument>();
    expectTypeOf<RunRequestDocument>().toExtend<RunRequest>();
    expectTypeOf<RunRequest>().toExtend<RunRequestDocument>();
    expectTypeOf<PlatformSettingsDocument>().toEqualTypeOf<PlatformSettings>();
    expectTypeOf<ObservedStateDocument>().toExtend<ObservedState>();
    expectTypeOf<ObservedState>().toExtend<ObservedStateDocument>();
    expectTypeOf<RunManifestDocument>().toExtend<RunManifest>();
    expectTypeOf<RunManifest>().toExtend<RunManifestDocument>();
    expectTypeOf<WantedPreviewsDocument>().toExtend<WantedPreviews>();
    expectTypeOf<WantedPreviews>().toExtend<WantedPreviewsDocument>();
    expectTypeOf<ObservedPreviewsDocument>().toExtend<ObservedPreviews>();
    expectTypeOf<ObservedPreviews>().toExtend<ObservedPreviewsDocument>();
    expectTypeOf<RunOutcomeDocument>().toExtend<RunOutcome>();
    expectTypeOf<RunOutcome>().toExtend<RunOutcomeDocument>();
    expectTypeOf<SealedSecretsDocument>().toExtend<SealedSecrets>();
    expectTypeOf<SealedSecrets>().toExtend<SealedSecretsDocument>();
    expectTypeOf<SecretEnvelopeDocument>().toEqualTypeOf<SecretEnvelope>();
    expectTypeOf<ProjectJobDocument>().toEqualTypeOf<ProjectJob>();
    expectTypeOf<ReviewJobDocument>().toEqualTypeOf<ReviewJob>();
    expectTypeOf<UserJobDocument>().toEqualTypeOf<UserJob>();
    expectTypeOf<ObservedJobDocument>().toEqualTypeOf<ObservedJob>();
    expectTypeOf<BuildJobDocument>().toExtend<BuildJob>();
    expectTypeOf<BuildJob>().toExtend<BuildJobDocument>();
  });
});
