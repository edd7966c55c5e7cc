import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Response } from "express";
import { listRefs } from "../git/list-refs.ts";
import { advertiseRefs } from "./advertise-refs.ts";
import type { Capabilities } from "./capabilities.ts";
import { answerLsRefs, parseLsRefs } from "./ls-refs.ts";
import { advertisementHead, setHead, type Transfer } from "./serve-pack.ts";

/**
 * Answers, as git would and without starting it, what every fetch begins with: what the server can do, and which refs
 * there are. `false` where that is not certain, and for everything else: then git itself is to answer.
 */
export async function serveRefs(
  capabilities: Capabilities,
  transfer: Transfer,
  response: Response,
): Promise<boolean> {
  const { service, isAdvertisement, protocol } = transfer;
  if (service !== "git-upload-pack") return false;
  let answer: Buffer | string | undefined;
  if (protocol === "version=2") {
    answer = isAdvertisement
      ? await capabilities.version2(transfer.gitDir)
      : listAsked(transfer.gitDir, transfer.body);
  } else if (protocol === undefined && isAdvertisement) {
    answer = await advertiseAll(capabilities, transfer.gitDir);
  }
  if (answer === undefined) return false;
  const head = isAdvertisement ? advertisementHead(service) : "";
  const body = Buffer.concat([Buffer.from(head), Buffer.from(answer as string)]);
  setHead(response, transfer);
  response.set("content-length", String(body.length)).end(body);
  return true;
}

function listAsked(gitDir: string, body: Buffer | undefined): string | undefined {
  const wanted = body && parseLsRefs(body);
  const refs = wanted && listRefs(gitDir, wanted.prefixes.length === 0 ? [""] : wanted.prefixes);
  return wanted && refs && answerLsRefs(wanted, refs);
}

async function advertiseAll(capabilities: Capabilities, gitDir: string): Promise<string | undefined> {
  const line = existsSync(join(gitDir, "shallow")) ? undefined : await capabilities.version0(gitDir);
  const refs = line && listRefs(gitDir, [""]); // after whatever was waited for
  return line && refs && advertiseRefs(line, refs);
}
