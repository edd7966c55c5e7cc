import type { TwinsFromMergeRequests } from "#schemas/twin-spec";

/**
 * Whether the policy of platform.yaml (`policies.twinsFromMergeRequests`) lets a merge request run previews. `wait`: until a member
 * asks; `never` is refused by `Previews.want`, too. `isMember`: its author may run operations of the project; `asked`: somebody who
 * may has asked for them. Pure.
 */
export function mayPreview(
  policy: TwinsFromMergeRequests | undefined,
  { isMember, asked }: { isMember: boolean; asked: boolean },
): "now" | "wait" | "never" {
  switch (policy ?? "members") {
    case "nobody":
      return "never";
    case "everybody":
      return "now";
    case "members":
      return isMember || asked ? "now" : "wait";
  }
}
