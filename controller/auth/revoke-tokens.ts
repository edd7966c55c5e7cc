import type { SignInConfig } from "../config.ts";
import type { SessionData } from "./session-store.ts";

const timeoutMs = 5_000; // somebody waits for the sign-out

/** Takes the tokens of a sign-in back at the provider; `true` when it has a page for signing out there, too. */
export async function revokeTokens(config: SignInConfig, tokens: SessionData): Promise<boolean> {
  const found = await fetch(`${config.issuer.replace(/\/+$/, "")}/.well-known/openid-configuration`, {
    signal: AbortSignal.timeout(timeoutMs),
  });
  if (!found.ok) throw new Error(`the provider answers ${found.status}`);
  const provider = (await found.json()) as { revocation_endpoint?: unknown; end_session_endpoint?: unknown };
  const hasEnd = typeof provider.end_session_endpoint === "string";
  if (typeof provider.revocation_endpoint !== "string") return hasEnd;
  const basic = [config.clientId, config.clientSecret].map(encodeURIComponent).join(":");
  for (const token of [tokens.refresh_token, tokens.access_token]) {
    if (token === undefined) continue;
    const answer = await fetch(provider.revocation_endpoint, {
      method: "POST",
      headers: { authorization: `Basic ${Buffer.from(basic).toString("base64")}` },
      body: new URLSearchParams({ token }),
      signal: AbortSignal.timeout(timeoutMs),
    });
    await answer.body?.cancel();
  }
  return hasEnd;
}
