import { execFile } from "node:child_process";
import { once } from "node:events";
import { access, readdir, readFile } from "node:fs/promises";
import { connect } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { maxBodyBytes } from "#controller/intake/parse-body";
import { projectSecret } from "#controller/intake/project-secret";
import { createLogger } from "#core/logger";
import { Nudges } from "#core/queue/nudges";
import { connectRedis } from "#core/redis";
import { queues } from "#schemas/jobs";
import { hashObject, writeRawTree } from "#test/fixtures/git-http-server";
import { hostileSpecs } from "#test/hostile/hostile-specs";
import type { Clone } from "./clone.ts";
import { Platform, until } from "./platform.ts";
import { goesLive, writeTwin } from "./twin-files.ts";

const run = promisify(execFile);

// Every attack ends in a refusal that says what is wrong, and the next push of somebody else goes live.
describe("while mallory attacks", () => {
  let platform: Platform;
  let mallory: Clone;
  let alice: Clone;
  let turn = 0;

  const aliceGoesLive = () => goesLive(platform, alice, "alice", `turn ${++turn}`);
  const failedStatus = async (commit: string, name: string) => {
    await until(`${name} has failed`, async () => {
      const found = (await platform.statuses("mallory", commit)).find((one) => one.name === `dtaas/${name}`);
      return found?.status === "failed" || JSON.stringify(found);
    });
    const all = await platform.statuses("mallory", commit);
    return all.find((one) => one.name === `dtaas/${name}`)?.description ?? "";
  };

  beforeAll(async () => {
    platform = await Platform.start({ users: ["mallory", "alice"] });
    [mallory, alice] = await Promise.all([platform.clone("mallory"), platform.clone("alice")]);
    await aliceGoesLive();
    await goesLive(platform, mallory, "mallory", "harmless");
  });
  afterAll(async () => {
    await platform?.close();
  });

  describe("with documents", () => {
    let commit: string;

    beforeAll(async () => {
      for (const { name, text } of hostileSpecs) {
        await writeTwin(mallory, name);
        await mallory.write(`digital_twins/${name}/dt.yaml`, text);
      }
      commit = await mallory.push("feat: all of them");
      await aliceGoesLive();
    });

    test("every one is refused, with its file, on the commit and in the list", async () => {
      await until("the last one has failed", async () => {
        const statuses = await platform.statuses("mallory", commit);
        return statuses.filter(({ status }) => status === "failed").length === hostileSpecs.length;
      });
      const statuses = await platform.statuses("mallory", commit);
      for (const { name } of hostileSpecs) {
        const { description } = statuses.find((one) => one.name === `dtaas/${name}`) ?? { description: "" };
        expect(description).toMatch(new RegExp(`^digital_twins/${name}/dt\\.yaml:\\d+:\\d+: `));
        expect(await platform.twin("mallory", name)).toMatchObject({ phase: "refused", containerId: null });
      }
    });

    test("her harmless twin in the same push runs", async () => {
      expect(await platform.twin("mallory", "good")).toMatchObject({ phase: "live" });
      const names = (await platform.containers())
        .map(({ name }) => name)
        .filter((name) => name.includes("mallory"));
      expect(names).toEqual([expect.stringContaining("mallory-good-execute")]);
    });

    afterAll(async () => {
      for (const { name } of hostileSpecs) await mallory.remove(`digital_twins/${name}`);
      await mallory.push("chore: without them");
      await until("they are gone", async () => (await platform.twins()).length === 2);
    });
  });

  describe("with trees", () => {
    const gitDir = () => join(mallory.folder, ".git");
    const blob = (content: string) => hashObject(gitDir(), "blob", content);
    const raw = (...entries: [mode: string, name: string | Uint8Array, id: string][]) =>
      writeRawTree(
        gitDir(),
        entries.map(([mode, name, id]) => ({ mode, name, id })),
      );
    const tenOf = (mode: string, id: string) =>
      raw(...Array.from({ length: 10 }, (_, n): [string, string, string] => [mode, `d${n}`, id]));

    const trees: [title: string, says: RegExp, tree: () => string][] = [
      ["an absolute link", /absolute/, () => raw(["120000", "passwd", blob("/etc/passwd")])],
      [
        "a link out of the repository",
        /out of the repository/,
        () => raw(["120000", "up", blob("../../..")]),
      ],
      ["a circle of links", /circle/, () => raw(["120000", "a", blob("b")], ["120000", "b", blob("a")])],
      ["a folder called ..", /elsewhere/, () => raw(["40000", "..", raw(["100644", "x", blob("x")])])],
      ["a .git folder", /\.git/, () => raw(["40000", ".git", raw(["100644", "config", blob("[core]")])])],
      ["a .GiT folder", /\.git/, () => raw(["40000", ".GiT", raw(["100755", "hooks", blob("x")])])],
      [
        "the short name of .git on Windows",
        /\.git/,
        () => raw(["40000", "git~1", raw(["100644", "x", blob("x")])]),
      ],
      ["a submodule", /submodule/, () => raw(["160000", "module", "1".repeat(40)])],
      ["a name with a slash", /./, () => raw(["100644", "../../outside", blob("x")])],
      ["a name that is no UTF-8", /UTF-8/, () => raw(["100644", Buffer.from([0x61, 0xff]), blob("x")])],
      [
        "a tree of ten thousand million files",
        /names/,
        () =>
          Array.from({ length: 9 }).reduce<string>((id) => tenOf("40000", id), tenOf("100644", blob("x"))),
      ],
    ];

    /** Pushes a root tree on top of what is there; what git or the forge said when it was not taken. */
    const push = async (root: string) => {
      const [head = ""] = (await mallory.git("ls-remote", "origin", "refs/heads/main")).split("\t");
      const commit = await mallory.git("commit-tree", "-m", "change", "-p", head, root);
      const refusal = await run("git", ["push", "-q", "origin", `${commit}:main`], {
        cwd: mallory.folder,
      }).then(
        () => undefined,
        (error: { stderr: string }) => error.stderr,
      );
      return { commit, refusal };
    };
    /** Her twin with another script, so that the revision has to be checked out, beside the folder `models`. */
    const withModels = async (models: string) => {
      const spec = await mallory.git("rev-parse", "HEAD:digital_twins/good/dt.yaml");
      const script = blob(`#!/bin/sh\n# ${++turn}\nexec sleep 1000000\n`);
      const good = raw(
        ["100644", "dt.yaml", spec],
        ["40000", "lifecycle", raw(["100755", "execute", script])],
      );
      return raw(["40000", "digital_twins", raw(["40000", "good", good])], ["40000", "models", models]);
    };

    test.each(trees)("%s: it is refused, and what ran runs on", async (_title, says, tree) => {
      const before = await platform.twin("mallory", "good");
      const { commit, refusal } = await push(await withModels(tree()));
      if (refusal === undefined) expect(await failedStatus(commit, "good")).toMatch(says);
      else expect(refusal).toMatch(/rejected|refused|fsck/);
      await aliceGoesLive();
      const { phase, containerId } = (await platform.twin("mallory", "good")) ?? {};
      expect({ phase, containerId }).toEqual({ phase: "live", containerId: before?.containerId });
    });

    test("a sound tree after all of them is taken again", async () => {
      const { commit } = await push(await withModels(raw(["100644", "README.md", blob("sound")])));
      await until("its status is good", async () => {
        const found = (await platform.statuses("mallory", commit)).find(({ name }) => name === "dtaas/good");
        return found?.status === "success" || JSON.stringify(found);
      });
    });
  });

  describe("with webhooks", () => {
    const body = (changes: Record<string, unknown> = {}) =>
      JSON.stringify({ object_kind: "push", ref: "refs/heads/main", ...changes });
    const send = (project: string, headers: Record<string, string>, content: string) =>
      fetch(`${platform.apiUrl}/webhooks/gitlab?project=${project}`, {
        method: "POST",
        headers: { "content-type": "application/json", "x-gitlab-event": "Push Hook", ...headers },
        body: content,
      });
    const projectId = async (user: string) => {
      const path = `${platform.forgeUrl}/api/v4/projects/${encodeURIComponent(`dtaas/${user}`)}`;
      const answer = await fetch(path, { headers: { "private-token": platform.token("root") } });
      return ((await answer.json()) as { id: number }).id;
    };
    const tokenOf = (id: number) => projectSecret(platform.settings.secrets.webhookSecret, id).token;

    test("forged ones are refused by type, and none of them starts work", async () => {
      const [hers, his] = await Promise.all([projectId("mallory"), projectId("alice")]);
      const own = { "x-gitlab-token": tokenOf(hers) };
      const about = body({
        before: "a".repeat(40),
        after: "b".repeat(40),
        project_id: his,
        project: { id: his, path_with_namespace: "dtaas/alice", default_branch: "main" },
      });
      const before = ((await platform.api("/deliveries")).body as { items: { id: string }[] }).items;
      const answers: [string, Promise<Response>, number, string][] = [
        ["no secret", send(String(his), {}, about), 401, "DELIVERY_REFUSED"],
        ["another project's secret", send(String(his), own, about), 401, "DELIVERY_REFUSED"],
        ["her own secret, about him", send(String(hers), own, about), 401, "DELIVERY_REFUSED"],
        ["the whole host's address", send("0", own, about), 401, "DELIVERY_REFUSED"],
        ["headers that a proxy would set", send(String(his), spoofed, about), 401, "DELIVERY_REFUSED"],
        [
          "a signature of nobody",
          send(
            String(hers),
            { ...own, "webhook-id": "x", "webhook-timestamp": now(), "webhook-signature": "v1,AA" },
            about,
          ),
          401,
          "DELIVERY_REFUSED",
        ],
        ["a project that is a path", send("../api/v1", own, about), 400, "BAD_REQUEST"],
        ["depth", send(String(hers), own, "[".repeat(100_000)), 400, "BAD_REQUEST"],
        ["size", send(String(hers), own, `"${"x".repeat(maxBodyBytes)}"`), 413, "BODY_TOO_LARGE"],
        [
          "compression",
          send(String(hers), { ...own, "content-encoding": "gzip" }, about),
          415,
          "BODY_KIND_UNKNOWN",
        ],
        [
          "a form",
          send(String(hers), { ...own, "content-type": "text/plain" }, about),
          415,
          "BODY_KIND_UNKNOWN",
        ],
      ];
      for (const [title, answer, status, code] of answers) {
        const response = await answer;
        expect([title, response.status]).toEqual([title, status]);
        expect(await response.json()).toMatchObject({ code });
      }
      const after = ((await platform.api("/deliveries")).body as { items: { id: string }[] }).items;
      expect(after.map(({ id }) => id)).toEqual(before.map(({ id }) => id));
      await aliceGoesLive();
    });

    test("a hundred senders that dribble hold nobody up, and are shown the door", async () => {
      const hers = await projectId("mallory");
      const { port } = new URL(platform.apiUrl);
      const sockets = Array.from({ length: 100 }, () => {
        const socket = connect(Number(port), "127.0.0.1");
        const told = { answer: "" };
        socket.on("data", (chunk) => {
          told.answer += chunk.toString();
        });
        socket.on("error", () => undefined);
        socket.write(
          `POST /webhooks/gitlab?project=${hers} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n` +
            `X-Gitlab-Token: ${tokenOf(hers)}\r\nContent-Length: 1000\r\n\r\n{`,
        );
        return { told, closed: once(socket, "close") };
      });
      await aliceGoesLive();
      await Promise.all(sockets.map(({ closed }) => closed));
      for (const { told } of sockets) expect(told.answer).toMatch(/^HTTP\/1\.1 408 [\s\S]*BODY_TOO_SLOW/);
    });

    const spoofed = {
      "x-forwarded-for": "127.0.0.1",
      "x-forwarded-user": "root",
      "x-real-ip": "127.0.0.1",
      "x-remote-user": "root",
      forwarded: "for=127.0.0.1;by=root",
      "x-gitlab-instance": "http://127.0.0.1",
    };
    const now = () => String(Math.floor(Date.now() / 1_000));
  });

  describe("from inside of Redis", () => {
    const redisCli = async (...words: string[]) => {
      const url = new URL(platform.settings.redisUrl);
      const { stdout } = await run("redis-cli", ["-h", url.hostname, "-p", url.port, ...words], {
        env: { PATH: process.env["PATH"], REDISCLI_AUTH: decodeURIComponent(url.password) },
      });
      return stdout.trim();
    };

    test("nobody gets in without the password", async () => {
      const { hostname, port } = new URL(platform.settings.redisUrl);
      const { stdout } = await run("redis-cli", ["-h", hostname, "-p", port, "keys", "*"]);
      expect(stdout).toContain("NOAUTH");
    });

    test("a twin does not reach it at all, at whichever address of the machine it tries its port", async () => {
      const { hostname, port } = new URL(platform.settings.redisUrl);
      const own = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
      const addresses = own.flatMap(({ family, address }) => (family === "IPv4" ? [address] : []));
      const { containerId } = (await platform.twin("alice", "good")) ?? {};
      const ask =
        'use IO::Socket::INET; my $p = shift; for (@ARGV) { print "$_ " if IO::Socket::INET->new(PeerAddr => $_, PeerPort => $p, Timeout => 2) }';
      const inside = ["exec", containerId ?? "", "perl", "-e", ask, port, hostname, ...new Set(addresses)];
      expect((await platform.docker(...inside)).stdout).toBe("");
      const { stdout } = await run("perl", ["-e", ask, port, hostname]);
      expect(stdout).toBe(`${hostname} `); // the same question, asked where it may be reached
    });

    test("forged jobs are set aside with their reason, touch nothing, and the queues drain", async () => {
      const redis = connectRedis(platform.settings.redisUrl, createLogger("test", "silent"));
      const forged: [queue: string, job: unknown][] = [
        ...[
          {},
          null,
          "alice",
          { user: "../../etc" },
          { user: "alice/../mallory" },
          { user: "a\nb" },
          { user: ["alice"] },
          { user: "alice", generation: 99 },
          { user: "x".repeat(100_000) },
          JSON.parse('{"__proto__":{"user":"alice"}}'),
        ].flatMap((job): [string, unknown][] => [
          [queues.user, job],
          [queues.observed, job],
        ]),
        ...[
          {},
          { project: "--upload-pack=id" },
          { project: "ext::sh -c id" },
          { project: "file:///etc" },
          { project: "../../.." },
          { project: "dtaas/alice", commit: "HEAD" },
          { project: "dtaas/alice\n" },
        ].map((job): [string, unknown] => [queues.project, job]),
        ...[
          {},
          { hash: "../../x", workspace: { template: "base", packages: { apt: [], pip: [] } } },
          { hash: "a", workspace: { template: "../x", packages: { apt: [], pip: [] } } },
          { hash: "a", workspace: { template: "base", packages: { apt: ["-oX=$(id)"], pip: [] } } },
          {
            hash: "a",
            workspace: { template: "base", packages: { apt: [], pip: [] } },
            dockerfile: "FROM x",
          },
        ].map((job): [string, unknown] => [queues.build, job]),
      ];
      const byQueue = new Map(
        Object.values(queues).map((queue) => [
          queue,
          new Nudges<object>(redis, createLogger("test", "silent"), { queue }),
        ]),
      );
      for (const [n, [queue, job]] of forged.entries())
        byQueue.get(queue as never)?.nudge(`forged-${n}`, job as object);
      for (const [queue, nudges] of byQueue) {
        const mine = forged.filter(([name]) => name === queue);
        await until(`the forged jobs of ${queue} are set aside`, async () => {
          const failed = (await nudges.queue.getFailed()).filter((job) =>
            job.failedReason?.includes("is invalid"),
          );
          return failed.length === mine.length || `${failed.length} of ${mine.length}`;
        });
      }
      for (const nudges of byQueue.values()) await nudges.close();
      redis.disconnect();
      await expect(
        access(join(platform.settings.dataFolder, "observed", "..", "..", "etc.json")),
      ).rejects.toThrow();
      expect((await readdir(join(platform.settings.dataFolder, "desired"))).sort()).toEqual([
        "alice.json",
        "mallory.json",
      ]);
      await aliceGoesLive();
    });

    test("a job about somebody who is not there, or about somebody else, is only a look", async () => {
      const since = new Date();
      const before = (await platform.containers()).map(({ id }) => id).sort();
      const redis = connectRedis(platform.settings.redisUrl, createLogger("test", "silent"));
      const users = new Nudges<object>(redis, createLogger("test", "silent"), { queue: queues.user });
      for (const user of ["alice", "mallory", "nobody", "constructor", "__proto__"])
        users.nudge(`x-${user}`, { user });
      await until("they are done", async () => {
        const counts = await users.queue.getJobCounts("waiting", "active", "delayed", "prioritized");
        return Object.values(counts).every((count) => count === 0);
      });
      await users.close();
      redis.disconnect();
      expect((await platform.containers()).map(({ id }) => id).sort()).toEqual(before);
      expect(await platform.starts(since)).toEqual(new Map());
      await aliceGoesLive();
    });

    test("rubbish under the queues' own keys does not stop them", async () => {
      for (const queue of Object.values(queues)) {
        await redisCli("lpush", `bull:${queue}:wait`, "no-such-job", "../../etc/passwd");
        await redisCli(
          "hset",
          `bull:${queue}:not-json`,
          "name",
          "nudge",
          "data",
          "{broken",
          "opts",
          "{broken",
        );
        await redisCli("lpush", `bull:${queue}:wait`, "not-json");
      }
      await aliceGoesLive();
      await aliceGoesLive();
    });
  });

  describe("through the API", () => {
    test("another user's twin is not there for her, whatever headers she sends", async () => {
      const asMallory = async (method: string, path: string, body?: unknown) => {
        const response = await fetch(`${platform.apiUrl}/api/v1${path}`, {
          method,
          headers: {
            authorization: `Bearer ${platform.token("mallory")}`,
            "content-type": "application/json",
            "x-forwarded-user": "root",
            "x-original-url": "/api/v1/twins/mallory/good",
            "x-http-method-override": "GET",
            sudo: "root",
          },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        });
        return [response.status, ((await response.json()) as { code?: string }).code];
      };
      const { runId } = (await platform.twin("alice", "good")) ?? {};
      for (const [method, path, body] of [
        ["GET", "/twins/alice/good"],
        ["POST", "/twins/alice/good/runs", { operation: "execute" }],
        ["GET", "/twins/alice/good/runs"],
        ["GET", `/twins/alice/good/runs/${runId}/log`],
        ["DELETE", `/twins/alice/good/runs/${runId}`],
        ["GET", `/twins/mallory/..%2f..%2falice/runs/${runId}`],
        ["GET", `/twins/mallory%2f..%2falice/good`],
      ] as const) {
        expect([path, ...(await asMallory(method, path, body))]).toEqual([path, 404, "NOT_FOUND"]);
      }
    });
  });

  test("and after all that the logs hold none of the secrets, and no process was started anew", async () => {
    const { dataFolder, secrets } = platform.settings;
    for (const name of ["controller", "runner"]) {
      const log = await readFile(join(dataFolder, "logs", `${name}.log`), "utf8");
      for (const secret of [
        secrets.webhookSecret,
        secrets.redisPassword,
        secrets.forgeRootToken,
        platform.token("alice"),
        platform.token("mallory"),
      ])
        expect(log.includes(secret)).toBe(false);
      expect(log).not.toMatch(/uncaught|unhandled/i);
    }
    for (const child of [platform.controller, platform.runner]) process.kill(child?.pid ?? 0, 0);
  });
});
