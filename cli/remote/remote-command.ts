import { setTimeout as delay } from "node:timers/promises";
import { Command } from "commander";
import { TryLaterError } from "#core/errors";
import type { Items } from "#schemas/api";
import type { RemoteView } from "#schemas/remotes";
import type { ApiClient } from "../api/api-client.ts";
import type { CliIo } from "../cli-io.ts";
import { type CommonOptions, commandContext, withConnection } from "../command-context.ts";
import { exitCodes } from "../exit-codes.ts";
import { ownRepository } from "../library/library-path.ts";
import { ageOf } from "../output/age.ts";
import { progress } from "../output/progress.ts";
import { oneLine, table } from "../output/table.ts";
import type { SetExitCode } from "../run-cli.ts";

const pollMs = 500;
const waitMs = 10 * 60_000; // longer than an attempt may take

/** `dtaas remote ...` */
export function remoteCommand(io: CliIo, end: SetExitCode): Command {
  return new Command("remote")
    .description("repositories on other hosts that workspace.yaml names")
    .addCommand(listCommand(io))
    .addCommand(syncCommand(io, end, "pull"))
    .addCommand(syncCommand(io, end, "push"));
}

function listCommand(io: CliIo): Command {
  return withConnection(new Command("list"))
    .description("what became of them, and when they are tried again")
    .action(async (options: CommonOptions) => {
      const context = commandContext(io, options);
      const { api } = await context.connect();
      const items = await remotesOf(api, await ownRepository(api, context.user));
      context.print({ items }, () => {
        if (items.length === 0) return "workspace.yaml names no remotes\n";
        const rows = items.map((one) => [
          one.name,
          one.direction,
          one.outcome,
          ageOf(one.finishedAt, Date.now()),
          one.url,
          one.message ?? "",
        ]);
        return table(["REMOTE", "DIRECTION", "OUTCOME", "AGE", "URL", "REMARK"], rows);
      });
    });
}

function syncCommand(io: CliIo, end: SetExitCode, direction: RemoteView["direction"]): Command {
  const does = direction === "pull" ? "merges its commits into yours" : "pushes your commits there";
  return withConnection(new Command(direction))
    .description(`${does} now, and waits for the outcome; a conflict changes nothing`)
    .argument("<name>", "of the remote in workspace.yaml")
    .action(async (name: string, options: CommonOptions) => {
      const context = commandContext(io, options);
      const { api } = await context.connect();
      const user = await ownRepository(api, context.user);
      const route = `/users/${encodeURIComponent(user)}/remotes/${encodeURIComponent(name)}/sync`;
      const asked = await api.send<RemoteView>("POST", `${route}?direction=${direction}`);
      const ended = await outcomeOf(api, asked, io);
      context.print(ended, () => {
        const files = ended.files.map((file) => `  ${oneLine(file)}\n`).join("");
        return `${ended.outcome}: ${oneLine(ended.message ?? "")}\n${files}`;
      });
      if (ended.outcome !== "updated" && ended.outcome !== "unchanged") end(exitCodes.failed);
    });
}

async function remotesOf(api: ApiClient, user: string): Promise<RemoteView[]> {
  return (await api.get<Items<RemoteView>>(`/users/${encodeURIComponent(user)}/remotes`)).items;
}

/** Waits until the wish is done. */
async function outcomeOf(api: ApiClient, asked: RemoteView, io: CliIo): Promise<RemoteView> {
  const line = progress(io);
  const deadline = Date.now() + waitMs;
  try {
    while (Date.now() < deadline) {
      const now = (await remotesOf(api, asked.user)).find(({ name }) => name === asked.name);
      const isDone = (now?.finishedAt ?? "") >= (asked.requestedAt ?? "") && now?.nextAt !== null;
      if (now && isDone) return now;
      line.say(`${asked.name}: ${now?.outcome ?? "gone from workspace.yaml"}`);
      await delay(pollMs, undefined, { signal: io.interrupted });
    }
  } finally {
    line.end();
  }
  throw new TryLaterError(`${asked.name} takes long; look again with dtaas remote list`, {
    retryAfterMs: 60_000,
  });
}
