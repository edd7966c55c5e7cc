import { expect, test } from "vitest";
import { checkOnlyPusher } from "./only-pusher.ts";

const forge = (...names: string[]) => ({ pushers: async () => names });

test("one user, the platform's own account and the administrator may push", async () => {
  await checkOnlyPusher(forge("dtaas-bot", "root", "user1"), "user1");
});

test("a second user who may push is refused by name, with what mends it", async () => {
  await expect(checkOnlyPusher(forge("anna", "dtaas-bot", "user1"), "user1")).rejects.toMatchObject({
    code: "SECOND_PUSHER",
    message: expect.stringContaining("anna may push beside user1"),
    hint: expect.stringContaining("--engine docker"),
  });
});
