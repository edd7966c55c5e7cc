import { ActionNeededError } from "#core/errors";
import type { Diagnostic } from "#schemas/diagnostic";
import { maxDocumentBytes } from "#schemas/limits";
import { GitReader } from "../assets/git-reader.ts";
import type { Mirrors } from "../assets/mirrors.ts";
import { lineInHead } from "./line-in-head.ts";
import type { WantedThread } from "./plan-threads.ts";
import { threadBody } from "./thread-body.ts";

/**
 * Problems of a merge result as threads on lines of the branch, which the target may have moved. What has no text there is
 * a matter of the comment.
 */
export async function wantThreads(
  mirrors: Mirrors,
  commits: { projectId: number; commit: string; head: string },
  problems: readonly Diagnostic[],
): Promise<WantedThread[]> {
  const { projectId, commit, head } = commits;
  const texts = new Map<string, { result: string; head: string } | undefined>();
  const textsOf = async (file: string) => {
    if (!texts.has(file)) {
      const [result, own] = await Promise.all([
        readText(mirrors, projectId, commit, file),
        readText(mirrors, projectId, head, file),
      ]);
      texts.set(file, result === undefined || own === undefined ? undefined : { result, head: own });
    }
    return texts.get(file);
  };
  const wanted: WantedThread[] = [];
  for (const diagnostic of problems) {
    const text = await textsOf(diagnostic.file);
    const line = text && lineInHead(text.result, text.head, diagnostic.line);
    const words = line === undefined ? undefined : text?.head.split("\n")[line - 1];
    wanted.push({ diagnostic, line, body: threadBody(diagnostic, words) });
  }
  return wanted;
}

async function readText(
  mirrors: Mirrors,
  projectId: number,
  commit: string,
  file: string,
): Promise<string | undefined> {
  try {
    const reader = await GitReader.open(mirrors, projectId, commit);
    const bytes = await reader.read(file, maxDocumentBytes);
    return bytes && Buffer.from(bytes).toString("utf8");
  } catch (error) {
    if (error instanceof ActionNeededError) return undefined; // too large, or a tree that may not be read
    throw error;
  }
}
