import { ActionNeededError } from "#core/errors";
import type { TwinsFromMergeRequests } from "#schemas/twin-spec";
import type { ForgeProject } from "../forge/forge.ts";
import type { MergeRequest } from "../forge/forge-merge-requests.ts";
import { mayPreview } from "../previews/may-preview.ts";
import type { PreviewState, Previews } from "../previews/previews.ts";
import type { ReviewMemory } from "./review-memory.ts";

/** Codes of refusals that are nothing to talk about: there is nothing to preview, or the platform runs no previews. */
const silent = ["NO_PREVIEW_THERE", "PREVIEWS_OFF"];

const outsideRemark =
  "This was looked at, and nothing of it runs yet: its author is no member of the project. A member may write `/dtaas preview`.";

/**
 * Asks for the previews that a merge request shall have: those of a member by itself, those of anybody else only for the very head
 * that a member asked for. Resolves with what they have shown, and with what there is to say about them.
 */
export async function previewsOf(
  previews: Previews,
  asked: {
    project: ForgeProject;
    mergeRequest: MergeRequest;
    fromOutside: boolean;
    preview: ReviewMemory["preview"];
    /** Somebody has asked just now: what has ended runs once more. */
    again: boolean;
    policy: TwinsFromMergeRequests | undefined;
  },
  commit: string | undefined,
): Promise<{ states: PreviewState[]; remark?: string }> {
  const { project, mergeRequest, fromOutside } = asked;
  const { iid, head } = mergeRequest;
  const of = { projectId: project.id, projectPath: project.path, iid };
  const preview = asked.preview?.head === head ? asked.preview : undefined;
  if (preview?.wanted === false) {
    await previews.remove(of);
    return { states: [], remark: "The previews were removed; `/dtaas preview` brings them back." };
  }
  const may = mayPreview(asked.policy, { isMember: !fromOutside, asked: preview !== undefined });
  if (may !== "now") {
    await previews.remove(of); // of an older head, for which somebody had asked
    return { states: [], ...(may === "wait" ? { remark: outsideRemark } : {}) };
  }
  try {
    const twins = preview && preview.twins.length > 0 ? { twins: preview.twins } : {};
    if (commit !== undefined)
      await previews.want({ ...of, commit, ...twins, ...(asked.again ? { again: true } : {}) });
    return { states: await previews.states(of) };
  } catch (error) {
    if (!(error instanceof ActionNeededError)) throw error;
    const states = await previews.states(of);
    return silent.includes(error.code) && !preview
      ? { states }
      : { states, remark: `No preview: ${error.message}.` };
  }
}
