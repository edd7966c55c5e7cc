import { readFurtherForge } from "#controller/config";
import { openHost } from "#controller/forge/open-forge";
import { ActionNeededError, messageOf } from "#core/errors";
import type { Finding } from "#embedded/machine/finding";

const name = "further Git host";
const means = "shared assets there stay as they were seen last; all else goes on";
const command = "edit DTAAS_FURTHER_FORGE_*: docs/github.md says what they are";

/** Asks the further Git host whose the platform's token there is; nothing where the settings name none. */
export async function furtherForgeFindings(
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Finding[]> {
  try {
    const host = readFurtherForge(environment);
    if (host === undefined) return [];
    const user = await openHost(host).whoIs(host.token);
    if (user) {
      const detail = `${host.name} (${host.kind}) knows the platform as ${user.username}`;
      return [{ name, state: "ok", detail }];
    }
    return [{ name, state: "doubtful", detail: `${host.name} does not take the token`, means, command }];
  } catch (error) {
    const detail =
      error instanceof ActionNeededError ? error.message : `it cannot be reached: ${messageOf(error)}`;
    return [{ name, state: "doubtful", detail, means, command }];
  }
}
