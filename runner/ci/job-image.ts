import { isImageAllowed } from "#planning/image-allowed";
import type { WorkspaceImage } from "#schemas/twin-spec";

const none = { apt: [], pip: [] };
// What is often named and stands for no more than "a Debian with this".
const templates: Readonly<Record<string, string>> = {
  python: "python",
  base: "base",
  debian: "base",
  ubuntu: "base",
  jupyter: "jupyter",
};

export type JobImage =
  | { kind: "template"; workspace: WorkspaceImage }
  | { kind: "ready"; name: string }
  | { kind: "refused"; why: string };

/**
 * What a job runs in. Without an image, and for `python:*`, `debian:*` and the like, it is one of our templates, whatever the tag says;
 * another one only where `policies.images` of the platform lets it.
 */
export function jobImage(image: string | undefined, allowed: readonly string[]): JobImage {
  if (image === undefined || image === "") return template("python");
  if (isImageAllowed(image, allowed)) return { kind: "ready", name: image };
  const [, name = ""] = /^(?:library\/)?([a-z]+)(?::[\w.-]+)?(?:@sha256:[0-9a-f]{64})?$/.exec(image) ?? [];
  const known = Object.hasOwn(templates, name) ? templates[name] : undefined;
  if (known !== undefined) return template(known);
  const names = Object.keys(templates).join(", ");
  const policy =
    allowed.length === 0
      ? "platform.yaml lists none in policies.images"
      : `policies.images has ${allowed.join(", ")}`;
  return {
    kind: "refused",
    why: `the image ${image} may not be run here: use ${names}, or an image that the platform allows (${policy})`,
  };
}

function template(name: string): JobImage {
  return { kind: "template", workspace: { template: name, packages: none } };
}
