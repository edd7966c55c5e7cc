import { ApiError, badParameter, notImplemented } from "../http/api-error.ts";
import type { Parameters } from "../http/parameters.ts";
import type { HookTarget } from "../store/records.ts";
import { eventFlags } from "./hook-event-names.ts";

const maxCustomHeaders = 20;
const maxUrlLength = 2048;
const settings = [
  "url",
  "name",
  "description",
  "token",
  "signing_token",
  "enable_ssl_verification",
  "push_events_branch_filter",
  "branch_filter_strategy",
  "custom_headers",
];

type HookFields = Omit<HookTarget, "id" | "createdAt">;

const defaults: HookFields = {
  url: "",
  name: null,
  description: null,
  token: null,
  signingToken: null,
  verifyTls: true,
  events: [],
  branchFilter: null,
  branchFilterStrategy: "wildcard",
  customHeaders: [],
};

/** A hook that is to be made; `events` are those wanted unless it says otherwise. Throws as `changedHookFields`. */
export function newHookFields(
  parameters: Parameters,
  events: readonly string[],
  flags: readonly string[] = eventFlags,
): HookFields {
  parameters.required("url");
  return { ...defaults, ...hookFields(parameters, events, flags) };
}

/** What changes in a hook. Throws 400, also when the request says nothing, 422 or 501 as `ApiError`. */
export function changedHookFields(
  parameters: Parameters,
  hook: HookTarget,
  flags: readonly string[] = eventFlags,
): Partial<HookFields> {
  if (!parameters.hasAny([...settings, ...flags])) throw badParameter("No parameters provided");
  return hookFields(parameters, hook.events, flags);
}

function hookFields(
  parameters: Parameters,
  events: readonly string[],
  flags: readonly string[],
): Partial<HookFields> {
  const fields: Partial<HookFields> = { events: wantedEvents(parameters, events, flags) };
  const url = parameters.text("url");
  if (url !== undefined) fields.url = checkedUrl(url);
  if (parameters.has("name")) fields.name = parameters.filled("name") ?? null;
  if (parameters.has("description")) fields.description = parameters.filled("description") ?? null;
  if (parameters.has("token")) fields.token = parameters.filled("token") ?? null;
  if (parameters.has("signing_token")) fields.signingToken = checkedSigningToken(parameters);
  const verifyTls = parameters.boolean("enable_ssl_verification");
  if (verifyTls !== undefined) fields.verifyTls = verifyTls;
  const strategy = parameters.choice("branch_filter_strategy", ["wildcard", "regex", "all_branches"]);
  if (strategy === "regex") throw notImplemented("filtering branches by regex");
  if (strategy) fields.branchFilterStrategy = strategy;
  if (parameters.has("push_events_branch_filter")) {
    fields.branchFilter = parameters.filled("push_events_branch_filter") ?? null;
  }
  if (parameters.filled("custom_webhook_template")) throw notImplemented("a custom webhook template");
  if (parameters.records("url_variables")?.length) throw notImplemented("variables in a webhook's address");
  const headers = parameters.records("custom_headers");
  if (headers) fields.customHeaders = checkedHeaders(headers);
  return fields;
}

function wantedEvents(parameters: Parameters, events: readonly string[], flags: readonly string[]): string[] {
  return flags.filter((flag) => parameters.boolean(flag) ?? events.includes(flag));
}

function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const decodes = url && canDecode(url.username) && canDecode(url.password);
  if (!decodes || !/^https?:$/.test(url.protocol) || text.length > maxUrlLength) {
    throw new ApiError(422, { error: "Invalid url given" });
  }
  return text;
}

function canDecode(text: string): boolean {
  try {
    return decodeURIComponent(text) !== undefined;
  } catch {
    return false;
  }
}

function checkedSigningToken(parameters: Parameters): string | null {
  const token = parameters.filled("signing_token");
  if (token === undefined) return null;
  const key = /^whsec_([A-Za-z0-9+/]{43}=)$/.exec(token)?.[1];
  if (!key) throw badParameter("signing_token must be whsec_ and 32 bytes in base64");
  return token;
}

function checkedHeaders(headers: Parameters[]): { key: string; value: string }[] {
  const checked = headers.map((header) => ({ key: header.required("key"), value: header.required("value") }));
  const wellFormed = checked.every(
    ({ key, value }) => /^[A-Za-z0-9_-]{1,255}$/.test(key) && /^[\x20-\x7e]{0,2048}$/.test(value),
  );
  if (!wellFormed || checked.length > maxCustomHeaders) {
    throw new ApiError(422, { error: "Custom headers validation failed" });
  }
  return checked;
}
