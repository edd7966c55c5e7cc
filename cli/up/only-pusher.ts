import { setTimeout as sleep } from "node:timers/promises";
import { ActionNeededError } from "#core/errors";
import type { ForgeAdmin } from "./forge-admin.ts";
import { botName, group } from "./seed.ts";

const lookAgainMs = 5_000;

/**
 * What is pushed is run under this account, so only one person may push. `ActionNeededError("SECOND_PUSHER")` names
 * the others.
 */
export async function checkOnlyPusher(admin: Pick<ForgeAdmin, "pushers">, user: string): Promise<void> {
  const others = (await admin.pushers(group)).filter((name) => ![user, botName, "root"].includes(name));
  if (others.length === 0) return;
  throw new ActionNeededError(
    "SECOND_PUSHER",
    `${others.join(", ")} may push beside ${user}, and without a container engine everybody who may push runs programs under this account`,
    {
      hint: "take their access away, use a container engine (--engine docker), or another --data folder",
    },
  );
}

/** Rejects as soon as somebody else may push; never resolves. Ends with the signal. */
export async function watchOnlyPusher(
  admin: Pick<ForgeAdmin, "pushers">,
  user: string,
  signal: AbortSignal,
): Promise<never> {
  for (;;) {
    await sleep(lookAgainMs, undefined, { signal, ref: false }).catch(() => undefined);
    if (signal.aborted) return await new Promise<never>(() => undefined);
    try {
      await checkOnlyPusher(admin, user);
    } catch (error) {
      if (error instanceof ActionNeededError && error.code === "SECOND_PUSHER") throw error;
      // the forge may be starting again
    }
  }
}
