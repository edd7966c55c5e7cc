import { rm } from "node:fs/promises";
import { join } from "node:path";
import type Docker from "dockerode";
import { ActionNeededError, isSystemError } from "#core/errors";
import { asking } from "./engine-error.ts";
import { installationLabel, purposeLabel } from "./labels.ts";

/**
 * Removes `<folder>/<name>` whole. A runner that is not root may not remove what a twin or the kernel's overlay has written there; then a
 * container does it that has this folder and nothing else, no network, and no right but over files.
 */
export async function removeByEngine(
  docker: Docker,
  {
    installation,
    folder,
    name,
    image,
  }: {
    installation: string;
    folder: string;
    name: string;
    /** Id of any image that has `rm`; asked only where it is needed. */
    image: () => Promise<string>;
  },
): Promise<void> {
  try {
    await rm(join(folder, name), { recursive: true, force: true });
    return;
  } catch (error) {
    if (!isSystemError(error, "EACCES") && !isSystemError(error, "EPERM")) throw error;
  }
  const what = `removing ${name}`;
  const Image = await image();
  const container = await asking(what, () =>
    docker.createContainer({
      Image,
      Labels: { [installationLabel]: installation, [purposeLabel]: "remove" },
      Entrypoint: ["rm", "-rf", "--", `/layers/${name}`],
      User: "0:0",
      NetworkDisabled: true,
      HostConfig: {
        CapDrop: ["ALL"],
        CapAdd: ["DAC_OVERRIDE", "FOWNER"],
        SecurityOpt: ["no-new-privileges"],
        ReadonlyRootfs: true,
        Mounts: [{ Type: "bind", Source: folder, Target: "/layers" }],
      },
    }),
  );
  try {
    await asking(what, () => container.start());
    const { StatusCode: code } = (await asking(what, () => container.wait())) as { StatusCode: number };
    if (code === 0) return;
  } finally {
    await container.remove({ force: true }).catch(() => {});
  }
  throw new ActionNeededError("LAYER_NOT_REMOVED", `${join(folder, name)} cannot be removed`, {
    hint: `sudo rm -r '${join(folder, name)}'`,
  });
}
