import type { ForgeContext } from "../forge-context.ts";
import type { MemberRecord } from "../store/records.ts";
import { announce } from "./announce.ts";

const levelNames: Readonly<Record<number, string>> = {
  5: "Minimal Access",
  10: "Guest",
  15: "Planner",
  20: "Reporter",
  30: "Developer",
  40: "Maintainer",
  50: "Owner",
};
const verbs = { add: "user_add_to", update: "user_update_for", remove: "user_remove_from" } as const;

/** `user_add_to_team` and its like for projects, `user_add_to_group` for groups. */
export function announceMember(context: ForgeContext, event: keyof typeof verbs, member: MemberRecord): void {
  const { users, projects, namespaces } = context.store;
  const user = users.get(member.userId);
  if (!user) return;
  const person = {
    user_name: user.name,
    user_username: user.username,
    user_email: user.email,
    user_id: user.id,
  };
  const level = levelNames[member.accessLevel] ?? String(member.accessLevel);
  const project = member.source === "project" ? projects.get(member.sourceId) : undefined;
  const group = member.source === "group" ? namespaces.get(member.sourceId) : undefined;
  if (project) {
    announce(context, `${verbs[event]}_team`, member, {
      project_name: project.name,
      project_path: project.path,
      project_path_with_namespace: project.fullPath,
      project_id: project.id,
      ...person,
      access_level: level,
      project_visibility: project.visibility,
    });
  } else if (group) {
    announce(context, `${verbs[event]}_group`, member, {
      group_name: group.name,
      group_path: group.path,
      group_id: group.id,
      ...person,
      group_access: level,
    });
  }
}
