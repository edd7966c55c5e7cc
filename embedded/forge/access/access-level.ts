/** GitLab's levels; compared by number. */
export const accessLevels = {
  none: 0,
  minimal: 5,
  guest: 10,
  planner: 15,
  reporter: 20,
  developer: 30,
  maintainer: 40,
  owner: 50,
  admin: 60,
} as const;

/** What a member can be given. */
export const memberLevels: readonly number[] = [5, 10, 15, 20, 30, 40, 50];
