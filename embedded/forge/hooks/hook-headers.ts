import { randomUUID } from "node:crypto";
import { Webhook } from "standardwebhooks";
import { forgeVersion } from "../metadata/forge-version.ts";
import type { HookTarget } from "../store/records.ts";
import { eventNames } from "./hook-event-names.ts";

/** The headers of one delivery; `deliveryId` stays the same when it is sent again. */
export function hookHeaders(delivery: {
  hook: HookTarget;
  flag: string;
  body: Uint8Array;
  deliveryId: string;
  instanceUrl: string;
  now: Date;
}): Record<string, string> {
  const { hook, flag, body, deliveryId, instanceUrl, now } = delivery;
  const headers: Record<string, string> = {};
  for (const { key, value } of hook.customHeaders) headers[key] = value;
  Object.assign(headers, {
    "Content-Type": "application/json",
    "User-Agent": `GitLab/${forgeVersion}`,
    "Idempotency-Key": deliveryId,
    "X-Gitlab-Event": eventNames[flag] ?? "System Hook",
    "X-Gitlab-Instance": instanceUrl,
    "X-Gitlab-Webhook-UUID": randomUUID(),
    "X-Gitlab-Event-UUID": randomUUID(),
  });
  if (hook.token) headers["X-Gitlab-Token"] = hook.token.replace(/[\r\n]/g, "");
  if (hook.signingToken) {
    const signature = new Webhook(hook.signingToken).sign(
      deliveryId,
      now,
      Buffer.from(body).toString("utf8"),
    );
    headers["webhook-id"] = deliveryId;
    headers["webhook-timestamp"] = String(Math.floor(now.getTime() / 1_000));
    headers["webhook-signature"] = signature;
  }
  const { username, password } = new URL(hook.url);
  if (username || password) {
    const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    headers["Authorization"] = `Basic ${Buffer.from(pair).toString("base64")}`;
  }
  return headers;
}
