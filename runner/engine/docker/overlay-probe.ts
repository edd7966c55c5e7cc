import { randomBytes } from "node:crypto";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type Docker from "dockerode";
import { toEngineError } from "./engine-error.ts";
import { engineName, installationLabel, labelFilter, purposeLabel } from "./labels.ts";

const leftBehindMs = 5 * 60_000; // a probe takes a second; an older one lost its runner

/**
 * Whether the engine can mount overlays below `folder`: not every file system can be the upper side of one, and the
 * engine may run elsewhere. A volume is made and mounted by a container for real; `imageId` is any that has `cp`.
 */
export async function overlayProbe(
  docker: Docker,
  { installation, folder, imageId }: { installation: string; folder: string; imageId: string },
): Promise<boolean> {
  const name = `probe-${randomBytes(6).toString("hex")}`;
  const volume = engineName(installation, name);
  const at = (part: string) => join(folder, `.${name}`, part);
  const Labels = { [installationLabel]: installation, [purposeLabel]: "probe" };
  let container: Docker.Container | undefined;
  try {
    await sweep(docker, installation);
    for (const part of ["lower", "upper", "work"]) await mkdir(at(part), { recursive: true });
    await writeFile(at("lower/given"), name);
    await docker.createVolume({
      Name: volume,
      Driver: "local",
      DriverOpts: {
        type: "overlay",
        device: "overlay",
        o: `lowerdir=${at("lower")},upperdir=${at("upper")},workdir=${at("work")}`,
      },
      Labels,
    });
    container = await docker.createContainer({
      Image: imageId,
      Labels,
      Entrypoint: ["cp", "/probe/given", "/probe/made"],
      NetworkDisabled: true,
      HostConfig: {
        CapDrop: ["ALL"],
        CapAdd: ["DAC_OVERRIDE"],
        Mounts: [{ Type: "volume", Source: volume, Target: "/probe" }],
      },
    });
    await container.start();
    await container.wait();
    return (await readFile(at("upper/made"), "utf8").catch(() => "")) === name;
  } catch (error) {
    // A mount the kernel refuses comes as 500 at the start: then it does not work. Without a container made, the
    // engine itself is in trouble.
    if (container) return false;
    throw toEngineError(error, "trying an overlay");
  } finally {
    await container?.remove({ force: true }).catch(() => {});
    await docker
      .getVolume(volume)
      .remove()
      .catch(() => {});
    await rm(join(folder, `.${name}`), { recursive: true, force: true });
  }
}

/** What a runner that was killed in the middle of its probe left behind. */
async function sweep(docker: Docker, installation: string): Promise<void> {
  const filters = labelFilter(installation, { [purposeLabel]: "probe" });
  for (const { Id, Created } of await docker.listContainers({ all: true, filters })) {
    if (Date.now() - Created * 1000 < leftBehindMs) continue;
    await docker
      .getContainer(Id)
      .remove({ force: true })
      .catch(() => {});
  }
  const { Volumes } = await docker.listVolumes({ filters });
  for (const volume of Volumes ?? []) {
    const { Name, CreatedAt = "" } = volume as { Name: string; CreatedAt?: string };
    if (Date.now() - Date.parse(CreatedAt) < leftBehindMs) continue;
    await docker
      .getVolume(Name)
      .remove()
      .catch(() => {});
  }
}
