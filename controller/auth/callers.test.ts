import { expect, test } from "vitest";
import { ActionNeededError, TryLaterError } from "#core/errors";
import { createLogger } from "#core/logger";
import { Callers, tokenOf } from "./caller.ts";
import { Memberships } from "./memberships.ts";

test("a token is read from both headers that the Git host knows, and from nothing else", () => {
  expect(tokenOf({ authorization: "Bearer abc" })).toBe("abc");
  expect(tokenOf({ authorization: "bearer  abc " })).toBe("abc");
  expect(tokenOf({ "private-token": "abc" })).toBe("abc");
  expect(tokenOf({ authorization: "Basic abc" })).toBeUndefined();
  expect(tokenOf({ authorization: "Bearer ", "private-token": "" })).toBeUndefined();
});

test("the Git host is asked once a minute for a good token and at most every five seconds for a bad one", async () => {
  let nowMs = 0;
  const asked: string[] = [];
  const whoIs = async (token: string) => {
    asked.push(token);
    return token === "good" ? { id: 1, username: "user1", name: "User" } : undefined;
  };
  const callers = new Callers({ whoIs }, undefined, () => nowMs);
  await Promise.all([callers.find("good"), callers.find("good")]);
  nowMs = 59_000;
  expect((await callers.find("good"))?.user.username).toBe("user1");
  expect(asked).toEqual(["good"]);
  nowMs = 60_001;
  await callers.find("good");
  expect(asked).toEqual(["good", "good"]);
  await callers.find("bad");
  nowMs += 4_000;
  expect(await callers.find("bad")).toBeUndefined();
  expect(asked.length).toBe(3);
  nowMs += 2_000;
  await callers.find("bad");
  expect(asked.length).toBe(4);
});

test("a token that cannot be one never reaches the Git host", async () => {
  const whoIs = async () => {
    throw new Error("asked");
  };
  const callers = new Callers({ whoIs });
  for (const token of ["", "a b", "a\r\nb", "x".repeat(513), "é"])
    expect(await callers.find(token)).toBeUndefined();
});

test("an answer that failed is not remembered", async () => {
  let isDown = true;
  const callers = new Callers({
    whoIs: async () => {
      if (isDown) throw new TryLaterError("down", { retryAfterMs: 1 });
      return { id: 1, username: "user1", name: "User" };
    },
  });
  await expect(callers.find("good")).rejects.toThrow(TryLaterError);
  isDown = false;
  expect((await callers.find("good"))?.user.id).toBe(1);
});

test("a role that was taken away ends after half a minute", async () => {
  let nowMs = 0;
  let level = 40;
  const project = { id: 7, path: "dtaas/user1", defaultBranch: "main", webUrl: "" };
  const forge = { project: async () => project, accessLevel: async () => level };
  const memberships = new Memberships(forge, createLogger("test", "silent"), () => nowMs);
  expect(await memberships.level("dtaas/user1", 1)).toBe(40);
  level = 0;
  nowMs = 29_000;
  expect(await memberships.level("dtaas/user1", 1)).toBe(40);
  nowMs = 30_001;
  expect(await memberships.level("dtaas/user1", 1)).toBe(0);
});

test("that the platform's own token is refused is no fault of the caller", async () => {
  const refuse = async () => {
    throw new ActionNeededError("FORGE_TOKEN_REFUSED", "401");
  };
  const memberships = new Memberships(
    { project: refuse, accessLevel: refuse },
    createLogger("test", "silent"),
  );
  await expect(memberships.level("dtaas/user1", 1)).rejects.toThrow(TryLaterError);
});
