import { expect, test } from "vitest";
import { Looks } from "./looks.ts";

/** Looks that last until the test ends them. */
function slowLooks(atOnce: number) {
  const begun: string[] = [];
  const endings = new Map<string, () => void>();
  const looks = new Looks(atOnce, (user) => {
    begun.push(user);
    return new Promise((resolve) => endings.set(user, resolve));
  });
  const end = async (user: string) => {
    endings.get(user)?.();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { looks, begun, end };
}

test("a user who is asked for ten times during a look is looked at once more", async () => {
  const { looks, begun, end } = slowLooks(4);
  void looks.ask("user1");
  for (let n = 0; n < 10; n += 1) void looks.ask("user1");
  expect(begun).toEqual(["user1"]);
  await end("user1");
  expect(begun).toEqual(["user1", "user1"]);
  await end("user1");
  expect(begun).toEqual(["user1", "user1"]);
});

test("one who asks all the time does not keep the others waiting", async () => {
  const { looks, begun, end } = slowLooks(1);
  void looks.ask("greedy");
  void looks.ask("modest");
  void looks.ask("greedy");
  await end("greedy");
  expect(begun).toEqual(["greedy", "modest"]);
  await end("modest");
  expect(begun).toEqual(["greedy", "modest", "greedy"]);
});

test("no more are looked at together than there is room for", async () => {
  const { looks, begun, end } = slowLooks(2);
  for (const user of ["user1", "user2", "user3"]) void looks.ask(user);
  expect(begun).toEqual(["user1", "user2"]);
  await end("user2");
  expect(begun).toEqual(["user1", "user2", "user3"]);
});

test("whoever asks is told when a look that began afterwards has ended, also one that failed", async () => {
  let looked = 0;
  const looks = new Looks(1, async () => {
    looked += 1;
    throw new Error("the engine is away");
  });
  void looks.ask("user1");
  await looks.ask("user1");
  expect(looked).toBe(2);
});

test("closing waits for the look under way, and nobody waits for one that never comes", async () => {
  const { looks, begun, end } = slowLooks(1);
  void looks.ask("user1");
  const second = looks.ask("user2");
  const closed = looks.close();
  await second;
  await end("user1");
  await closed;
  await looks.ask("user3");
  expect(begun).toEqual(["user1"]);
});
