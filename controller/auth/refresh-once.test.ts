import { expect, test } from "vitest";
import { RefreshOnce } from "./refresh-once.ts";

test("a refresh token is exchanged once, however many come with it, also later", async () => {
  const refreshes = new RefreshOnce<string>();
  let exchanges = 0;
  const exchange = async () => `tokens ${++exchanges}`;
  const come = () => refreshes.run("r1", exchange);
  expect(await Promise.all([come(), come(), come()])).toEqual(["tokens 1", "tokens 1", "tokens 1"]);
  expect(await come()).toBe("tokens 1");
  expect(await refreshes.run("r2", exchange)).toBe("tokens 2");
});

test("one that failed is tried again", async () => {
  const refreshes = new RefreshOnce<string>();
  const away = async () => {
    throw new Error("away");
  };
  await expect(refreshes.run("r1", away)).rejects.toThrow("away");
  expect(await refreshes.run("r1", async () => "tokens")).toBe("tokens");
});
