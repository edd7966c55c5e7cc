import type { ForgeAdmin } from "./forge-admin.ts";
import { type Secrets, saveSecrets } from "./secrets.ts";

/** Registers the controller at the embedded forge, so that people can sign in to it with a browser. */
export async function ensureSignIn(
  admin: ForgeAdmin,
  options: { dataFolder: string; apiUrl: string; secrets: Secrets },
): Promise<void> {
  const { dataFolder, apiUrl, secrets } = options;
  const wanted = {
    name: "DTaaS",
    redirectUri: `${apiUrl}/auth/callback`,
    scopes: "openid profile email api",
  };
  const application = await admin.ensureApplication(wanted, secrets.application);
  if (application.clientId === secrets.application?.clientId) return;
  secrets.application = application;
  await saveSecrets(dataFolder, secrets);
}
