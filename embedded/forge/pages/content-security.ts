import type { ServerResponse } from "node:http";
import helmet from "helmet";

const header = "content-security-policy";

/** Pages run no script, load nothing from elsewhere, and stand in no frame. */
export const contentSecurity = helmet({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: ["'none'"],
      styleSrc: ["'self'"],
      imgSrc: ["'self'"],
      scriptSrc: ["'none'"],
      formAction: ["'self'"],
      frameAncestors: ["'none'"],
      baseUri: ["'none'"],
    },
  },
  referrerPolicy: { policy: "same-origin" }, // forms have to say where they come from
  strictTransportSecurity: false, // whoever stands in front with TLS says that
});

/** Browsers hold redirects that follow a form against the policy, too: lets those lead to this one address more. */
export function allowFormTarget(response: ServerResponse, address: string): void {
  if (!URL.canParse(address)) return;
  const { origin, protocol } = new URL(address);
  const policy = response.getHeader(header);
  if (typeof policy !== "string" || !/^https?:$/.test(protocol)) return;
  response.setHeader(header, policy.replace("form-action 'self'", `form-action 'self' ${origin}`));
}
