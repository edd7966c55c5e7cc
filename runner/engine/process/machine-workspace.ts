import { createHash } from "node:crypto";
import { ActionNeededError } from "#core/errors";
import type { WorkspaceImage } from "#schemas/twin-spec";
import type { ImageRecipe, Images } from "../engine.ts";

const machine = "this-machine";
const recipe: ImageRecipe = {
  hash: createHash("sha256").update(machine).digest("hex"),
  dockerfile: "",
  files: {},
};

/**
 * The recipe of every workspace without packages: the machine as it is. Packages are `ActionNeededError(
 * "PACKAGES_UNSUPPORTED")` that says what to install.
 */
export async function machineWorkspace({ packages: { apt, pip } }: WorkspaceImage): Promise<ImageRecipe> {
  if (apt.length === 0 && pip.length === 0) return recipe;
  const ways = [
    ...(apt.length > 0 ? [`apt-get install ${apt.join(" ")}`] : []),
    ...(pip.length > 0 ? [`pip install ${pip.join(" ")}`] : []),
  ];
  throw new ActionNeededError(
    "PACKAGES_UNSUPPORTED",
    `twins run as processes of this machine, without images: install what they need here (${ways.join("; ")}) and take it out of workspace.packages, or use a container engine`,
    { hint: ways.join("\n") },
  );
}

/** One image, which is the machine itself. */
export function machineImages(): Images {
  return {
    find: async (hash) => (hash === recipe.hash ? machine : undefined),
    buildHost: async () => "127.0.0.1",
    async build() {
      throw new ActionNeededError("BUILD_FAILED", "this engine builds no images: twins are processes here");
    },
    base: async () => machine,
    list: async () => [],
    remove: async () => undefined,
  };
}
