import type { ContainerLabels } from "./engine.ts";

export const containerLabelFields = [
  "user",
  "twin",
  "operation",
  "run",
  "key",
  "source",
  "revision",
  "attempt",
] as const satisfies (keyof ContainerLabels)[];

export function sameLabels(one: ContainerLabels, other: ContainerLabels): boolean {
  return one.preview === other.preview && containerLabelFields.every((field) => one[field] === other[field]);
}
