import type { TwinsFromMergeRequests } from "#schemas/twin-spec";

export type MayPreview = "now" | { wait: string } | { never: string };

/**
 * Whether the policy of platform.yaml (`policies.twinsFromMergeRequests`) lets a merge request run previews. `isMember`: its
 * author may push to the project; `asked`: somebody who may has asked for them. Pure.
 */
export function mayPreview(
  policy: TwinsFromMergeRequests | undefined,
  { isMember, asked }: { isMember: boolean; asked: boolean },
): MayPreview {
  switch (policy ?? "members") {
    case "nobody":
      return { never: "this platform runs nothing of merge requests (policies.twinsFromMergeRequests)" };
    case "everybody":
      return "now";
    case "members":
      if (isMember || asked) return "now";
      return { wait: "its author is no member of the project: a member has to ask for it" };
  }
}
