import type { StoredDocuments } from "./stored-documents.ts";
import { mergeTwins } from "./twin-views.ts";

/** How many twins of these users are in each phase. */
export async function countTwins(
  documents: StoredDocuments,
  users: readonly string[],
): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const user of users) {
    const [desired, observed] = await Promise.all([documents.desired(user), documents.observed(user)]);
    for (const { phase } of mergeTwins(user, desired, observed)) counts[phase] = (counts[phase] ?? 0) + 1;
  }
  return counts;
}
