import { ActionNeededError } from "#core/errors";
import { didYouMean } from "#schemas/suggest";

/** For callers who may see the user's project. */
export function noTwin(user: string, twin: string, others: readonly { name: string }[]): ActionNeededError {
  const near = didYouMean(
    twin,
    others.map(({ name }) => name),
  );
  return new ActionNeededError("TWIN_NOT_FOUND", `${user} has no twin ${twin}`, {
    hint: near ?? "list them: dtaas twin list",
  });
}

export function noRun(run: { user: string; twin: string; id: string }): ActionNeededError {
  return new ActionNeededError("RUN_NOT_FOUND", `${run.user}/${run.twin} has no run ${run.id}`, {
    hint: `list its runs: dtaas twin history ${run.user}/${run.twin}`,
  });
}

export function noUser(user: string): ActionNeededError {
  return new ActionNeededError("PROJECT_NOT_FOUND", `there is no project of ${user}`, {
    hint: "check the name of the user",
  });
}
