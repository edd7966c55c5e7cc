import { createHash, randomBytes } from "node:crypto";
import type { Browser, Shown } from "./browser.ts";

export interface Tokens {
  access_token: string;
  refresh_token: string;
  id_token: string;
  token_type: string;
  expires_in: number;
  created_at: number;
  scope: string;
}

/** A program that lets people sign in with the forge, made of plain requests. For tests only. */
export class Application {
  readonly id: number;
  readonly clientId: string;
  readonly secret: string;
  readonly redirectUri: string;
  readonly #forgeUrl: string;

  private constructor(
    forgeUrl: string,
    redirectUri: string,
    made: { id: number; application_id: string; secret: string },
  ) {
    this.#forgeUrl = forgeUrl;
    this.redirectUri = redirectUri;
    this.id = made.id;
    this.clientId = made.application_id;
    this.secret = made.secret;
  }

  static async register(
    forgeUrl: string,
    adminToken: string,
    options: { redirectUri: string; scopes: string; trusted?: boolean; confidential?: boolean },
  ): Promise<Application> {
    const { redirectUri, scopes, trusted = false, confidential = true } = options;
    const response = await fetch(`${forgeUrl}/api/v4/applications`, {
      method: "POST",
      headers: { "private-token": adminToken, "content-type": "application/json" },
      body: JSON.stringify({
        name: "The <platform>",
        redirect_uri: redirectUri,
        scopes,
        trusted,
        confidential,
      }),
    });
    if (response.status !== 201) throw new Error(await response.text());
    return new Application(forgeUrl, redirectUri, (await response.json()) as never);
  }

  /** Where a browser begins to sign in. */
  begin(scope: string, more: Record<string, string> = {}): { url: string; verifier: string } {
    const verifier = randomBytes(32).toString("base64url");
    const parameters = new URLSearchParams({
      client_id: this.clientId,
      redirect_uri: this.redirectUri,
      response_type: "code",
      scope,
      state: "a state",
      nonce: "a nonce",
      code_challenge: createHash("sha256").update(verifier).digest("base64url"),
      code_challenge_method: "S256",
      ...more,
    });
    return { url: `${this.#forgeUrl}/oauth/authorize?${parameters}`, verifier };
  }

  /** The code in the address at which a browser has come back. */
  codeIn(shown: Shown): string {
    const code = new URL(shown.url).searchParams.get("code");
    if (code === null) throw new Error(`no code in ${shown.url}`);
    return code;
  }

  async token(fields: Record<string, string>): Promise<Response> {
    return await fetch(`${this.#forgeUrl}/oauth/token`, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams({
        client_id: this.clientId,
        client_secret: this.secret,
        ...fields,
      }).toString(),
    });
  }

  exchange(code: string, verifier: string, more: Record<string, string> = {}): Promise<Response> {
    const fields = {
      grant_type: "authorization_code",
      code,
      code_verifier: verifier,
      redirect_uri: this.redirectUri,
    };
    return this.token({ ...fields, ...more });
  }

  refresh(refreshToken: string): Promise<Response> {
    return this.token({ grant_type: "refresh_token", refresh_token: refreshToken });
  }

  /** Signs somebody in with this browser; a trusted application asks nothing more. */
  async signIn(
    browser: Browser,
    scope: string,
    user: { username: string; password: string },
  ): Promise<Tokens> {
    const { url, verifier } = this.begin(scope);
    let shown = await browser.open(url);
    if (shown.text.includes('name="password"')) shown = await browser.send(shown, "/sign_in", user);
    const response = await this.exchange(this.codeIn(shown), verifier);
    if (response.status !== 200) throw new Error(await response.text());
    return (await response.json()) as Tokens;
  }
}
