import { randomUUID } from "node:crypto";
import { SignJWT } from "jose";
import { type SigningKeys, signingAlgorithm } from "./signing-keys.ts";

const notBeforeS = 5; // clocks that run a little behind, as GitLab allows for

/**
 * Signs a token that says these claims about a job, for whoever checks it with `/oauth/discovery/keys`. Issuer, audience,
 * times and `jti` are ours, whatever the claims say of them.
 */
export type MintIdToken = (
  claims: Record<string, unknown>,
  options: { audience: string | string[]; lifetimeS: number },
) => Promise<string>;

export function idTokenMinter(keys: SigningKeys, issuer: () => string, clock: () => Date): MintIdToken {
  return async (claims, { audience, lifetimeS }) => {
    const now = Math.floor(clock().getTime() / 1_000);
    return await new SignJWT({ ...claims })
      .setProtectedHeader({ alg: signingAlgorithm, kid: keys.kid, typ: "JWT" })
      .setIssuer(issuer())
      .setAudience(audience)
      .setJti(randomUUID())
      .setIssuedAt(now)
      .setNotBefore(now - notBeforeS)
      .setExpirationTime(now + lifetimeS)
      .sign(keys.signer);
  };
}
