import { LRUCache } from "lru-cache";

const maxClients = 200; // callers whose clients are kept; the one not used longest goes first

/** A caller's client, made once and kept while it is used: connections and what a host has said of its pace are a client's. */
export function clientsByToken<Client extends object>(
  make: (token: string) => Client,
): (token: string) => Client {
  const clients = new LRUCache<string, Client>({ max: maxClients });
  return (token) => {
    const client = clients.get(token) ?? make(token);
    clients.set(token, client);
    return client;
  };
}
