import type { Logger } from "#core/logger";
import type { SerialByKey } from "#core/serial-by-key";
import type { Git } from "./git/git.ts";
import type { Objects } from "./git/objects.ts";
import type { Repositories } from "./git/repositories.ts";
import type { HookSender } from "./hooks/hook-sender.ts";
import type { ArtifactStore } from "./oidc/artifact-store.ts";
import type { CookieKeys } from "./oidc/cookie-keys.ts";
import type { MintIdToken } from "./oidc/mint-id-token.ts";
import type { SigningKeys } from "./oidc/signing-keys.ts";
import type { Ci } from "./pipelines/ci.ts";
import type { StatusStore } from "./statuses/status-store.ts";
import type { Store } from "./store/store.ts";
import type { Underway } from "./underway.ts";
import type { PasswordSignIn } from "./users/password-sign-in.ts";

/** What every part of the forge is handed; nothing in it is reached any other way. */
export interface ForgeContext {
  /** External URL without a slash at the end. */
  url: string;
  store: Store;
  statuses: StatusStore;
  git: Git;
  objects: Objects;
  repositories: Repositories;
  hookSender: HookSender;
  /** As `hookSender`, for hooks of the whole forge: their numbers are counted apart. */
  systemHookSender: HookSender;
  /** What the forge signs tokens with. */
  signingKeys: SigningKeys;
  /** What only the forge can make: cookies, and tokens of forms. */
  cookieKeys: CookieKeys;
  /** What sign-in has handed out: sessions of browsers, tokens of applications. */
  artifacts: ArtifactStore;
  passwords: PasswordSignIn;
  /** Tokens by which a job proves to others which job it is. */
  mintIdToken: MintIdToken;
  /** Pipelines and their jobs. */
  ci: Ci;
  /** Clones and pushes, and what follows from them. */
  transfers: Underway;
  /** Changes to merge requests, one after another for each target project. Key: its number. */
  mergeRequestQueue: SerialByKey;
  /** Requests to the REST API that a user, or a stranger's address, has each minute; `undefined` for any number. */
  requestsPerMinute: number | undefined;
  clock: () => Date;
  logger: Logger;
}
