import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import type { AdapterPayload } from "oidc-provider";
import { Collection, type Index } from "../store/collection.ts";

const maxOfOneUser = 100; // of each kind; the oldest goes first: so many browsers and tools nobody has
const maxPassing = 5_000; // of each kind; strangers can make these, so they stay in memory and are few
const sweepEveryMs = 10 * 60_000;

// What outlives a restart once a user stands behind it. All else is there for minutes.
const lasting = new Set(["Session", "Grant", "AccessToken", "RefreshToken"]);

/** Something that sign-in has handed out or remembers: a session, a grant, a token. */
interface ArtifactRecord {
  readonly id: number;
  kind: string;
  /** SHA-256 of kind and name, hex: whoever reads the disk has no cookie and no token. */
  key: string;
  userId: number;
  clientId: string | null;
  grantId: string | null;
  uid: string | null;
  /** Seconds since 1970. */
  expiresAt: number;
  /** As the library gave it, without the name it is looked up by. */
  payload: AdapterPayload;
}

/**
 * Where sign-in keeps what it hands out. Looking something up by name is done at once, in memory; a change of what lasts is
 * durable when its promise resolves. What has expired goes by itself.
 */
export class ArtifactStore {
  readonly #records: Collection<ArtifactRecord>;
  readonly #byKey: Index<ArtifactRecord>;
  readonly #byUid: Index<ArtifactRecord>;
  readonly #byGrant: Index<ArtifactRecord>;
  readonly #byClient: Index<ArtifactRecord>;
  /** Key: kind and user. */
  readonly #byUser: Index<ArtifactRecord>;
  readonly #passing = new Map<string, LRUCache<string, AdapterPayload>>();
  readonly #timer: NodeJS.Timeout;

  private constructor(records: Collection<ArtifactRecord>) {
    this.#records = records;
    this.#byKey = records.indexBy(({ key }) => key);
    this.#byUid = records.indexBy(({ uid }) => uid ?? "");
    this.#byGrant = records.indexBy(({ grantId }) => grantId ?? "");
    this.#byClient = records.indexBy(({ clientId }) => clientId ?? "");
    this.#byUser = records.indexBy(({ kind, userId }) => `${kind}:${userId}`);
    this.#timer = setInterval(() => void this.#sweep().catch(() => {}), sweepEveryMs); // the next one tries again
    this.#timer.unref();
  }

  static async open(folder: string): Promise<ArtifactStore> {
    const store = new ArtifactStore(await Collection.open<ArtifactRecord>(folder));
    await store.#sweep();
    return store;
  }

  find(kind: string, name: string): AdapterPayload | undefined {
    const record = this.#byKey.first(keyOf(kind, name));
    return record ? { ...record.payload, jti: name } : this.#passing.get(kind)?.get(name);
  }

  findByUid(uid: string): AdapterPayload | undefined {
    const record = uid === "" ? undefined : this.#byUid.first(uid);
    return record ? { ...record.payload } : this.#findPassing("Session", (payload) => payload.uid === uid);
  }

  findByUserCode(userCode: string): AdapterPayload | undefined {
    return this.#findPassing("DeviceCode", (payload) => payload.userCode === userCode);
  }

  async put(kind: string, name: string, payload: AdapterPayload, lifetimeS: number): Promise<void> {
    const userId = Number(payload.accountId);
    if (!lasting.has(kind) || !payload.accountId) {
      this.#passingOf(kind).set(name, payload, { ttl: lifetimeS * 1_000 });
      return;
    }
    this.#passing.get(kind)?.delete(name); // a session becomes lasting when somebody signs in
    const key = keyOf(kind, name);
    const { jti: _name, ...kept } = payload;
    const record = {
      ...{ kind, key, userId, payload: kept, expiresAt: nowS() + lifetimeS },
      clientId: payload.clientId ?? null,
      grantId: (kind === "Grant" ? name : payload.grantId) ?? null,
      uid: kind === "Session" ? (payload.uid ?? null) : null,
    };
    const known = this.#byKey.first(key);
    if (known) {
      await this.#records.update(known.id, record);
      return;
    }
    await this.#records.insert((id) => ({ id, ...record }));
    const all = this.#byUser.all(`${kind}:${userId}`);
    await this.#removeAll(all.slice(0, Math.max(all.length - maxOfOneUser, 0)));
  }

  /** Marks what is good for one use as used; `false` when it was already: of two at the same time one only gets `true`. */
  async consume(kind: string, name: string): Promise<boolean> {
    const record = this.#byKey.first(keyOf(kind, name));
    const payload = record?.payload ?? this.#passing.get(kind)?.get(name);
    if (payload === undefined || payload.consumed) return false;
    if (record) await this.#records.update(record.id, { payload: { ...record.payload, consumed: nowS() } });
    else payload.consumed = nowS();
    return true;
  }

  async remove(kind: string, name: string): Promise<void> {
    this.#passing.get(kind)?.delete(name);
    await this.#removeAll(this.#byKey.all(keyOf(kind, name)));
  }

  /** Everything of this kind that a grant has led to. */
  async removeOfGrant(kind: string, grantId: string): Promise<void> {
    this.#removePassing(kind, (payload) => payload.grantId === grantId);
    await this.#removeAll(this.#byGrant.all(grantId).filter((record) => record.kind === kind));
  }

  /** A grant with all that it has led to. */
  async removeGrant(grantId: string): Promise<void> {
    for (const kind of this.#passing.keys())
      this.#removePassing(kind, (payload) => payload.grantId === grantId);
    if (grantId !== "") await this.#removeAll(this.#byGrant.all(grantId));
  }

  /** Access tokens of a grant that came before this one: a refreshed one takes their place. */
  async removeOlderAccessTokens(grantId: string, newest: string): Promise<void> {
    const key = keyOf("AccessToken", newest);
    const older = this.#byGrant
      .all(grantId)
      .filter((each) => each.kind === "AccessToken" && each.key !== key);
    await this.#removeAll(older);
  }

  /** Ends every session and takes back every token of a user. */
  async removeOfUser(userId: number): Promise<void> {
    for (const kind of lasting) await this.#removeAll(this.#byUser.all(`${kind}:${userId}`));
    for (const kind of this.#passing.keys()) {
      this.#removePassing(kind, (payload) => payload.accountId === String(userId));
    }
  }

  /** Takes back everything an application was given. */
  async removeOfClient(clientId: string): Promise<void> {
    for (const kind of this.#passing.keys())
      this.#removePassing(kind, (payload) => payload.clientId === clientId);
    if (clientId !== "") await this.#removeAll(this.#byClient.all(clientId));
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #sweep(): Promise<void> {
    const now = nowS();
    await this.#removeAll(this.#records.all().filter((record) => record.expiresAt <= now));
  }

  async #removeAll(records: readonly ArtifactRecord[]): Promise<void> {
    await Promise.all(records.map((record) => this.#records.remove(record.id)));
  }

  #passingOf(kind: string): LRUCache<string, AdapterPayload> {
    const known = this.#passing.get(kind) ?? new LRUCache<string, AdapterPayload>({ max: maxPassing });
    this.#passing.set(kind, known);
    return known;
  }

  #findPassing(kind: string, matches: (payload: AdapterPayload) => boolean): AdapterPayload | undefined {
    for (const payload of this.#passing.get(kind)?.values() ?? []) if (matches(payload)) return payload;
    return undefined;
  }

  #removePassing(kind: string, matches: (payload: AdapterPayload) => boolean): void {
    const entries = this.#passing.get(kind);
    for (const [name, payload] of entries ? [...entries.entries()] : []) {
      if (matches(payload)) entries?.delete(name);
    }
  }
}

function keyOf(kind: string, name: string): string {
  return createHash("sha256").update(`${kind}:${name}`).digest("hex");
}

function nowS(): number {
  return Math.floor(Date.now() / 1_000);
}
