import { rm } from "node:fs/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Clone } from "./clone.ts";
import { Platform, until } from "./platform.ts";
import { Reviewer } from "./reviewer.ts";
import { runningSpec, writeTwin } from "./twin-files.ts";

const file = "digital_twins/pump/dt.yaml";
const threeMistakes = runningSpec("pump")
  .replace("state: running", "stat: running")
  .replace("spec:\n", "spec:\n  integrationLevel: twn\n  resources: { cpus: many }\n");

/** Runs when asked, and keeps ten numbers around its parameter. */
const job = (level: number) => `apiVersion: dtaas/v1
kind: DigitalTwin
metadata: { name: job }
spec:
  workspace: { template: base }
  parameters: { level: ${level} }
  lifecycle:
    create: { run: lifecycle/create, timeout: 60s, outputs: [data/job] }
  preview:
    operations: [create]
    compare:
      - { file: data/job/levels.csv, column: level, tolerance: 1 }
`;
const jobScript = `#!/bin/sh
mkdir -p /workspace/data/job
echo level > /workspace/data/job/levels.csv
for n in 1 2 3 4 5 6 7 8 9 10; do echo "$DT_PARAM_level" >> /workspace/data/job/levels.csv; done
`;

describe("a reviewer with nothing but the Git host", () => {
  let platform: Platform;
  let clone: Clone;
  let reviewer: Reviewer;
  const clones: Clone[] = [];

  /** Commits everything on a branch and pushes it; the new head. */
  const pushTo = async (branch: string, message: string, from = clone) => {
    await from.git("add", "-A");
    await from.git("commit", "-q", "--allow-empty", "-m", message);
    await from.git("push", "-q", "origin", `HEAD:refs/heads/${branch}`);
    return await from.git("rev-parse", "HEAD");
  };

  beforeAll(async () => {
    platform = await Platform.start({ users: ["user1", "user2"] });
    clone = await platform.clone("user1");
    clones.push(clone);
    reviewer = new Reviewer(platform, "user1", "user1");
    await writeTwin(clone, "good");
    await clone.write("digital_twins/job/dt.yaml", job(10));
    await clone.write("digital_twins/job/lifecycle/create", jobScript, 0o755);
    await clone.push("feat: begin");
    await until("the twin is live", async () => {
      const twin = await platform.twin("user1", "good");
      return twin?.phase === "live" || JSON.stringify(twin);
    });
  });
  afterAll(async () => {
    await platform?.close();
    for (const { folder } of clones) await rm(folder, { recursive: true, force: true });
  });

  test("sees three mistakes as three threads on their lines and one comment; a fixing push resolves them; merging makes it live", async () => {
    await clone.git("switch", "-q", "-c", "pump");
    await clone.write(file, threeMistakes);
    await clone.write("digital_twins/pump/lifecycle/execute", "#!/bin/sh\nexec sleep 1000000\n", 0o755);
    const bad = await pushTo("pump", "feat: add a pump");
    const iid = await reviewer.open("pump");
    const failed = await reviewer.planned(bad);
    expect(failed).toMatchObject({ status: "failed", description: expect.stringContaining(`${file}:5:`) });
    await until("three threads stand", async () => (await reviewer.threads(iid)).length === 3);
    const threads = await reviewer.threads(iid);
    expect(threads.map(({ at }) => at).sort()).toEqual([`${file}:5`, `${file}:6`, `${file}:7`]);
    expect(threads.find(({ at }) => at.endsWith(":7"))?.body).toContain(
      "```suggestion\n  state: running\n```",
    );
    await until("one comment stands", async () => (await reviewer.comments(iid)).length === 1);
    expect((await reviewer.comments(iid))[0]).toContain("3 errors");

    await clone.write(file, runningSpec("pump"));
    const fixed = await pushTo("pump", "fix: say what is meant");
    expect(await reviewer.planned(fixed)).toMatchObject({ status: "success", description: "1 will start" });
    await until("all threads are resolved", async () => {
      const now = await reviewer.threads(iid);
      return (now.length === 3 && now.every(({ resolved }) => resolved)) || JSON.stringify(now);
    });
    await until("the comment shows the plan", async () => {
      const comments = await reviewer.comments(iid);
      return (comments.length === 1 && comments[0]?.includes("| `pump` | starts | new |")) || comments.join();
    });

    await reviewer.merge(iid, fixed);
    await until("the merged twin is live", async () => {
      const twin = await platform.twin("user1", "pump");
      return twin?.phase === "live" || JSON.stringify(twin);
    });
    await clone.git("switch", "-q", "main");
    await clone.git("pull", "-q", "--ff-only");
  });

  test("finds one comment after twenty pushes, and after a restart of the controller in between", async () => {
    await clone.git("switch", "-q", "-c", "busy");
    let head = await pushTo("busy", "docs: begin");
    const iid = await reviewer.open("busy");
    for (let n = 1; n <= 20; n += 1) {
      await clone.write("digital_twins/good/data.txt", `${n}\n`);
      head = await pushTo("busy", `feat: change ${n}`);
      if (n === 10) {
        await platform.controller?.kill();
        await platform.startController();
      }
    }
    expect((await reviewer.planned(head)).description).toBe("1 will restart");
    await until("the comment is there", async () => (await reviewer.comments(iid)).length > 0);
    expect(await reviewer.comments(iid)).toHaveLength(1);
    await clone.git("switch", "-q", "main");
  });

  test("asks in notes: what may not be done is said, an operation runs once and its end is told", async () => {
    await clone.git("switch", "-q", "-c", "ask");
    await clone.write("README.md", "asking\n");
    const head = await pushTo("ask", "docs: ask");
    const iid = await reviewer.open("ask");
    await reviewer.planned(head);
    const answered = async (discussion: string, says: RegExp) =>
      await until(`an answer like ${says}`, async () => {
        const answer = await reviewer.answer(iid, discussion);
        return (answer !== undefined && says.test(answer)) || String(answer);
      });
    await answered(await reviewer.say(iid, "/dtaas previw"), /did you mean `preview`/);
    await answered(await reviewer.say(iid, "/dtaas run dance good"), /no operation/);
    const asked = await reviewer.say(iid, "Please:\n\n/dtaas run create job\n\n> /dtaas run create job");
    await answered(asked, /\*\*`succeeded`\*\* with exit code 0/);
    const history = (await platform.api("/twins/user1/job/runs")).body as {
      items: { requestedBy: string }[];
    };
    expect(history.items).toMatchObject([{ requestedBy: "user1" }]);
    await clone.git("switch", "-q", "main");
  });

  test("sees the numbers of a preview beside the live run's, and merging removes the preview", async () => {
    await clone.git("switch", "-q", "-c", "level");
    await clone.write("digital_twins/job/dt.yaml", job(12));
    const head = await pushTo("level", "feat: raise the level");
    const iid = await reviewer.open("level");
    expect((await reviewer.planned(head)).status).toBe("success");
    await until("the comment compares", async () => {
      const [comment = ""] = await reviewer.comments(iid);
      return (
        /\| `job` \| `data\/job\/levels.csv`: `level` \| \*\*fail\*\* \| 10 \| 2 \(row 1\) \| 2 \| 1 \|/.test(
          comment,
        ) || comment
      );
    });
    const [comment = ""] = await reviewer.comments(iid);
    expect(comment).toContain("```mermaid\nxychart-beta");
    expect(comment).toMatch(/\| `job` \| done \| `create` ended with 0/);
    await reviewer.merge(iid, head);
    await until("no preview is left", async () => {
      const { items } = (await platform.api("/users/user1/previews")).body as { items: unknown[] };
      return items.length === 0 || JSON.stringify(items);
    });
    await clone.git("switch", "-q", "main");
    await clone.git("pull", "-q", "--ff-only");
  });

  test("sees an outsider's fork planned, and nothing of it run until a member asks", async () => {
    const { id } = await reviewer.ask<{ id: number }>("GET", "");
    await platform.setMember(id, "user2", true); // as a Reporter: may look
    const outsider = new Reviewer(platform, "user1", "user2");
    const fork = await outsider.ask<{ id: number; path_with_namespace: string }>("POST", "/fork", {});
    const url = `${platform.forgeUrl}/${fork.path_with_namespace}.git`;
    const theirs = await Clone.of({ url, user: "user2", password: platform.token("user2") });
    clones.push(theirs);
    await theirs.write("digital_twins/job/dt.yaml", job(14));
    await pushTo("outside", "feat: raise the level further", theirs);
    const { iid } = await outsider.openFromFork(fork.id, "outside", id);
    const comment = async () => (await reviewer.comments(iid))[0] ?? "";
    await until("it is planned", async () => (await comment()).includes("#### Plan") || (await comment()));
    expect(await comment()).toContain("nothing of it runs yet");
    const previews = async () =>
      ((await platform.api("/users/user1/previews")).body as { items: unknown[] }).items;
    const refused = await outsider.say(iid, "/dtaas preview");
    await until("the outsider is refused", async () => {
      const answer = await reviewer.answer(iid, refused);
      return answer?.includes("may not run or cancel operations") || String(answer);
    });
    expect(await previews()).toEqual([]);
    await reviewer.say(iid, "/dtaas preview");
    await until(
      "its numbers are there",
      async () => (await comment()).includes("**fail** | 10 |") || (await comment()),
    );
    await reviewer.ask("PUT", `/merge_requests/${iid}`, { state_event: "close" });
    await until("no preview is left", async () => (await previews()).length === 0);
  });

  test("rolls a twin back, and it stays so", async () => {
    await clone.git("switch", "-q", "main");
    const first = await clone.git("rev-parse", "HEAD");
    await until("the first state is told as live", async () =>
      (await platform.statuses("user1", first)).some(
        (one) => one.name === "dtaas/good" && one.status === "success",
      ),
    );
    await writeTwin(clone, "good", { says: "worse" });
    const second = await clone.push("feat: make it worse");
    await until(
      "the second state is live",
      async () => (await platform.twin("user1", "good"))?.revision === second,
    );
    const { code, stdout, stderr } = await platform.cli("twin", "rollback", "user1/good");
    expect({ code, stdout, stderr }).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("committed to main"),
    });
    await until("the former state is live again", async () => {
      const twin = await platform.twin("user1", "good");
      return (twin?.phase === "live" && twin.revision !== second) || JSON.stringify(twin);
    });
    await clone.git("pull", "-q", "--ff-only");
    expect(await clone.read("digital_twins/good/lifecycle/execute")).toContain("echo up");
    const again = await platform.cli("twin", "rollback", "user1/good", first.slice(0, 8));
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining("ROLLBACK_NOTHING") });
    const proposed = await platform.cli("twin", "rollback", "user1/good", second, "--merge-request");
    expect(proposed).toMatchObject({ code: 0, stdout: expect.stringContaining("/merge_requests/") });
  });
});
