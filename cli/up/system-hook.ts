import { projectSecret, wholeHost } from "#controller/intake/project-secret";
import type { ForgeAdmin } from "./forge-admin.ts";

/** The forge tells the controller at once when somebody comes to a project or group, or leaves it. */
export async function ensureSystemHook(
  admin: ForgeAdmin,
  { apiUrl, webhookSecret }: { apiUrl: string; webhookSecret: string },
): Promise<void> {
  const { token } = projectSecret(webhookSecret, wholeHost);
  await admin.ensureSystemHook(`${apiUrl}/webhooks/gitlab?project=${wholeHost}`, token);
}
