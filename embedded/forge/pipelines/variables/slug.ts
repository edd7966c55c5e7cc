import { createHash } from "node:crypto";

const maxSlug = 63; // a label of a host name
const maxEnvironmentSlug = 24;

/** As `CI_COMMIT_REF_SLUG`: fit for host names. */
export function slugOf(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z0-9]/g, "-")
    .slice(0, maxSlug)
    .replace(/^-+|-+$/g, "");
}

/** As `CI_ENVIRONMENT_SLUG`: short, begins with a letter, and differs for names that differ. */
export function environmentSlugOf(name: string): string {
  const plain = name
    .toLowerCase()
    .replace(/[^a-z0-9]/g, "-")
    .replace(/-+/g, "-");
  const begins = /^[a-z]/.test(plain) ? plain : `env-${plain}`;
  if (begins.length <= maxEnvironmentSlug && begins === name) return begins.replace(/-$/, "");
  const suffix = BigInt(`0x${createHash("sha256").update(name).digest("hex")}`)
    .toString(36)
    .slice(-6);
  return `${begins.slice(0, maxEnvironmentSlug - 7).replace(/-$/, "")}-${suffix}`;
}
