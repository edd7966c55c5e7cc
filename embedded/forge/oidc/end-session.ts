import type { ForgeContext } from "../forge-context.ts";

interface SessionWithGrants {
  authorizations?: Record<string, { grantId?: string | undefined }> | undefined;
}

/** Signs a browser out, here and in every application it was signed in to from here. */
export async function endSession(
  context: ForgeContext,
  session: SessionWithGrants & { destroy(): Promise<void> },
): Promise<void> {
  await endGrants(context, session);
  await session.destroy();
}

/** Takes back what applications were given in this browser. */
export async function endGrants({ artifacts }: ForgeContext, session: SessionWithGrants): Promise<void> {
  for (const { grantId } of Object.values(session.authorizations ?? {})) {
    if (grantId) await artifacts.removeGrant(grantId);
  }
}
