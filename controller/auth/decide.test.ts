import { expect, test } from "vitest";
import { type Action, decide } from "./decide.ts";

const actions: Action[] = [
  "identify",
  "see",
  "operate",
  "change-state",
  "manage-secrets",
  "work",
  "delete",
  "administer",
];

test.each([
  [0, "allowed hidden hidden hidden hidden hidden hidden denied"],
  [10, "allowed hidden hidden hidden hidden hidden hidden denied"],
  [20, "allowed allowed denied denied denied denied denied denied"],
  [30, "allowed allowed allowed allowed denied denied denied denied"],
  [40, "allowed allowed allowed allowed allowed denied allowed denied"],
  [50, "allowed allowed allowed allowed allowed denied allowed denied"],
])("level %i in the user's project and none in the platform's", (project, expected) => {
  expect(actions.map((action) => decide(action, { project, platform: 0 })).join(" ")).toBe(expected);
});

test("a maintainer of the platform project may do everything, a developer of it nothing more", () => {
  expect(actions.every((action) => decide(action, { project: 0, platform: 40 }) === "allowed")).toBe(true);
  expect(decide("see", { project: 0, platform: 30 })).toBe("hidden");
});

test("a workspace is for its own user, as long as that user is a developer", () => {
  expect(decide("work", { project: 30, platform: 0, own: true })).toBe("allowed");
  expect(decide("work", { project: 20, platform: 0, own: true })).toBe("denied");
  expect(decide("work", { project: 0, platform: 0, own: true })).toBe("hidden");
});
