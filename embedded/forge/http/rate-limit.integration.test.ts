import { afterAll, beforeAll, expect, test } from "vitest";
import { type ForgeWorld, forgeWorld } from "../testing/forge-world.ts";

let world: ForgeWorld;
let now = new Date("2026-05-01T12:00:10Z");

beforeAll(async () => {
  world = await forgeWorld({ requestsPerMinute: 3, clock: () => now });
  await world.forge.admin.seed({
    users: [
      { username: "ada", name: "Ada" },
      { username: "bob", name: "Bob" },
    ],
    tokens: [
      { username: "ada", name: "t", scopes: ["api"], value: "glpat-ada" },
      { username: "bob", name: "t", scopes: ["api"], value: "glpat-bob" },
    ],
  });
});

afterAll(() => world.end());

const ask = (token: string) =>
  fetch(`${world.forge.url}/api/v4/user`, { headers: { "private-token": token } });

test("each answer tells what is left, and one too many is told when to come again", async () => {
  const answers = [
    await ask("glpat-ada"),
    await ask("glpat-ada"),
    await ask("glpat-ada"),
    await ask("glpat-ada"),
  ];
  expect(answers.map((each) => each.status)).toEqual([200, 200, 200, 429]);
  expect(answers.map((each) => each.headers.get("ratelimit-remaining"))).toEqual(["2", "1", "0", "0"]);
  const [first, , , last] = answers;
  expect(first?.headers.get("ratelimit-limit")).toBe("3");
  expect(first?.headers.get("ratelimit-observed")).toBe("1");
  expect(first?.headers.get("ratelimit-name")).toBe("throttle_authenticated_api");
  expect(first?.headers.get("ratelimit-reset")).toBe(String(Date.parse("2026-05-01T12:01:00Z") / 1_000));
  expect(first?.headers.has("retry-after")).toBe(false);
  expect(last?.headers.get("retry-after")).toBe("50");
  expect(last?.headers.get("ratelimit-resettime")).toBe("Fri, 01 May 2026 12:01:00 GMT");
  expect(await last?.text()).toBe("Retry later\n");
});

test("others have a limit of their own, wrong tokens share that of their address, and a new minute begins anew", async () => {
  expect((await ask("glpat-bob")).status).toBe(200);
  const guesses = [await ask("guess-1"), await ask("guess-2"), await ask("guess-3"), await ask("guess-4")];
  expect(guesses.map((each) => each.status)).toEqual([401, 401, 401, 429]);
  now = new Date("2026-05-01T12:01:00Z");
  expect((await ask("glpat-ada")).status).toBe(200);
});
