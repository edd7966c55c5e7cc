import { createHmac } from "node:crypto";
import { ActionNeededError } from "#core/errors";
import { idsPerHost } from "../forge/host-names.ts";

const minMasterBytes = 16; // shorter ones can be guessed
const scheme = "dtaas webhook v1"; // a change makes every webhook be written anew

/** What the Git host sends with, or signs, the deliveries of one project. */
export interface ProjectSecret {
  token: string;
  /** `whsec_` and base64 of 32 bytes. */
  signingToken: string;
}

/** The id that stands for the whole Git host: its system hook names no single project. */
export const wholeHost = 0;

/** The id stands for one of the Git hosts. */
export function isWholeHost(projectId: number): boolean {
  return projectId % idsPerHost === wholeHost;
}

/**
 * The webhook secrets of one project, derived from the installation's master secret: nothing is stored, every project
 * has its own, and none of them tells another. Throws `ActionNeededError("WEBHOOK_SECRET_TOO_SHORT")`.
 */
export function projectSecret(master: string, projectId: number): ProjectSecret {
  if (Buffer.byteLength(master) < minMasterBytes) {
    throw new ActionNeededError("WEBHOOK_SECRET_TOO_SHORT", "The webhook secret has fewer than 16 bytes", {
      hint: "Make one: openssl rand -hex 32",
    });
  }
  const derive = (what: string) =>
    createHmac("sha256", master).update(`${scheme} ${what} ${projectId}`).digest();
  return {
    token: derive("token").toString("base64url"),
    signingToken: `whsec_${derive("signing").toString("base64")}`,
  };
}
