import { type Adapter, errors } from "oidc-provider";
import type { ForgeContext } from "../forge-context.ts";
import { clientMetadata } from "./application.ts";

/** The store as the library wants it: one adapter for each kind of thing. */
export function artifactAdapter({ artifacts, store }: ForgeContext) {
  return (kind: string): Adapter => {
    if (kind === "Client") return clients(store);
    return {
      upsert: (name, payload, lifetimeS) => artifacts.put(kind, name, payload, lifetimeS ?? 0),
      find: async (name) => artifacts.find(kind, name),
      findByUserCode: async (userCode) => artifacts.findByUserCode(userCode),
      findByUid: async (uid) => artifacts.findByUid(uid),
      consume: async (name) => {
        if (!(await artifacts.consume(kind, name))) throw new errors.InvalidGrant("already used");
      },
      destroy: (name) => artifacts.remove(kind, name),
      revokeByGrantId: (grantId) => artifacts.removeOfGrant(kind, grantId),
    };
  };
}

function clients(store: ForgeContext["store"]): Adapter {
  const nothing = async () => undefined;
  return {
    find: async (clientId) => {
      const application = store.applicationsByClient.first(clientId);
      return application && { ...clientMetadata(application) };
    },
    upsert: nothing,
    findByUserCode: nothing,
    findByUid: nothing,
    consume: nothing,
    destroy: nothing,
    revokeByGrantId: nothing,
  };
}
