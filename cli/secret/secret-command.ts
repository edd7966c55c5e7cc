import { Command, InvalidArgumentError } from "commander";
import { seal } from "#core/age";
import { ActionNeededError } from "#core/errors";
import type { Items, SealingKey, SecretChange, SecretView } from "#schemas/api";
import { parseDuration } from "#schemas/duration";
import { maxSecretBytes } from "#schemas/limits";
import type { SecretEnvelope } from "#schemas/sealed-secrets";
import type { ApiClient } from "../api/api-client.ts";
import type { CliIo } from "../cli-io.ts";
import { type CommonOptions, commandContext, withConnection } from "../command-context.ts";
import { table } from "../output/table.ts";

const maxVariableBytes = 40_000; // 10,000 characters, the most a variable of GitLab holds
const defaultLife = "365d";

interface SecretOptions extends CommonOptions {
  twin?: string;
  expires?: number;
}

/** `dtaas secret ...` */
export function secretCommand(io: CliIo): Command {
  return new Command("secret")
    .description(
      "values that twins need and Git must not show; a value is piped in or typed, never an argument",
    )
    .addCommand(changeCommand(io, "set", "make a secret, or give it a new value"))
    .addCommand(changeCommand(io, "rotate", "give a secret that is there a new value; its twins start again"))
    .addCommand(listCommand(io))
    .addCommand(deleteCommand(io))
    .addCommand(sealCommand(io));
}

function changeCommand(io: CliIo, verb: "set" | "rotate", says: string): Command {
  return named(verb, says).action(async (name: string, options: SecretOptions) => {
    const context = commandContext(io, options);
    const { api } = await context.connect();
    const user = await whose(api, context.user);
    const value = await io.secret(`Value of ${name}`, maxVariableBytes);
    const query = queryOf({ twin: options.twin, ...(verb === "rotate" ? { mustExist: "true" } : {}) });
    const path = `${secretsPath(user)}/${encodeURIComponent(name)}${query}`;
    const change = await api.send<SecretChange>("PUT", path, { value: textOf(value) });
    context.print(
      change,
      () => `${words(change)}${change.remark === null ? "" : `\nNote: ${change.remark}.`}\n`,
    );
  });
}

function deleteCommand(io: CliIo): Command {
  return named("delete", "delete a secret; what runs keeps the value until it ends").action(
    async (name: string, options: SecretOptions) => {
      const context = commandContext(io, options);
      const { api } = await context.connect();
      const user = await whose(api, context.user);
      const path = `${secretsPath(user)}/${encodeURIComponent(name)}${queryOf({ twin: options.twin })}`;
      const change = await api.send<SecretChange>("DELETE", path);
      context.print(change, () => `${words(change)}\n`);
    },
  );
}

function listCommand(io: CliIo): Command {
  return withConnection(new Command("list"))
    .description("list secrets by name: where they come from and which twins use them")
    .action(async (options: CommonOptions) => {
      const context = commandContext(io, options);
      const { api } = await context.connect();
      const { items } = await api.get<Items<SecretView>>(secretsPath(await whose(api, context.user)));
      context.print({ items }, () => {
        if (items.length === 0) return "no secrets\n";
        const rows = items.map((secret) => [
          secret.name,
          secret.of ?? (secret.origin === "file" ? `secrets/${secret.name}.age` : "-"),
          secret.scope ?? "-",
          secret.declaredBy.join(", ") || "-",
          secret.remark ?? "",
        ]);
        return table(["NAME", "FROM", "FOR", "USED BY", "REMARK"], rows);
      });
    });
}

function sealCommand(io: CliIo): Command {
  return named("seal", "print a value sealed for the runner, to be committed as secrets/<name>.age")
    .option(
      "--expires <duration>",
      `refused after this time, such as 90d (default: ${defaultLife})`,
      duration,
    )
    .action(async (name: string, options: SecretOptions) => {
      const context = commandContext(io, options);
      const { api } = await context.connect();
      const user = await whose(api, context.user);
      const key = await api.get<SealingKey>(`/users/${encodeURIComponent(user)}/sealing-key`);
      const value = await io.secret(`Value of ${name}`, maxSecretBytes);
      const lifeMs = options.expires ?? parseDuration(defaultLife) ?? 0;
      const envelope: SecretEnvelope = {
        version: 1,
        project: key.project,
        twin: options.twin ?? null,
        name,
        expiresAt: new Date(Date.now() + lifeMs).toISOString(),
        kind: "variable",
        value: value.toString("base64"),
      };
      const sealedText = await seal(key.publicKey, Buffer.from(JSON.stringify(envelope)));
      const { project, twin, expiresAt } = envelope;
      context.print({ name, project, twin, expiresAt, sealedText }, () => sealedText);
    });
}

function named(verb: string, says: string): Command {
  return withConnection(new Command(verb))
    .description(says)
    .argument("<name>", "such as PLANT_TOKEN", secretName)
    .option("--twin <twin>", "for this twin only, not for all of the user's");
}

/** The user that is meant: the one who was named, or whoever asks. */
async function whose(api: ApiClient, user: string | undefined): Promise<string> {
  return user ?? (await api.get<{ username: string }>("/me")).username;
}

function secretsPath(user: string): string {
  return `/users/${encodeURIComponent(user)}/secrets`;
}

function queryOf(parameters: Record<string, string | undefined>): string {
  const given = Object.entries(parameters).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`],
  );
  return given.length === 0 ? "" : `?${given.join("&")}`;
}

function words({ user, name, scope, change, declaredBy }: SecretChange): string {
  const where = scope === "*" ? user : `${user} for ${scope}`;
  const twins = declaredBy.join(", ");
  if (twins === "") return `${name} of ${where}: ${change}; no twin uses it yet`;
  if (change === "deleted")
    return `${name} of ${where}: deleted; ${twins} cannot be started again without it`;
  return `${name} of ${where}: ${change} for ${twins}; what runs starts again`;
}

function textOf(value: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(value);
  } catch {
    throw new ActionNeededError(
      "USAGE",
      "the value is no UTF-8 text, and a CI/CD variable can hold nothing else",
      {
        hint: "seal it into the repository instead: dtaas secret seal",
      },
    );
  }
}

function secretName(name: string): string {
  if (/^(?!DT_)[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name)) return name;
  throw new InvalidArgumentError("letters, digits and _, not beginning with a digit or DT_");
}

function duration(text: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined && ms > 0) return ms;
  throw new InvalidArgumentError("give a duration such as 90d");
}
