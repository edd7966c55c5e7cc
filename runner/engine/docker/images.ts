import { Readable } from "node:stream";
import type Docker from "dockerode";
import { pack } from "tar-stream";
import { ActionNeededError, messageOf } from "#core/errors";
import type { ImageRecipe, Images } from "../engine.ts";
import { BuildOutput } from "./build-output.ts";
import { asking, askingUnless, toEngineError } from "./engine-error.ts";
import { installationLabel, labelFilter, recipeLabel } from "./labels.ts";

const buildMemoryBytes = 4 * 1024 ** 3; // packages that are compiled need far more than a twin

/** Workspace images, tagged with the hash of their recipe. Builds run in `buildNetwork`, which leads no further than this machine. */
export function dockerImages(
  docker: Docker,
  installation: string,
  options: { baseImage: string; buildNetwork: () => Promise<{ name: string; host: string }> },
): Images {
  const tagOf = (hash: string) => {
    if (!/^[a-f0-9]{8,64}$/.test(hash)) throw new Error(`not a content hash: ${JSON.stringify(hash)}`);
    return `dtaas-${installation}/workspace:${hash}`;
  };
  const inspect = (name: string) =>
    askingUnless([404], `looking at image ${name}`, () => docker.getImage(name).inspect());

  return {
    async find(hash) {
      const found = await inspect(tagOf(hash));
      return found?.Config.Labels?.[recipeLabel] === hash ? found.Id : undefined;
    },

    async base() {
      const found = await inspect(options.baseImage);
      if (found) return found.Id;
      throw new ActionNeededError("BASE_IMAGE_MISSING", `the base image ${options.baseImage} is not there`, {
        hint: "run `dtaas doctor`, which fetches or makes it",
      });
    },

    async buildHost() {
      return (await options.buildNetwork()).host;
    },

    async build(recipe, onLine, signal, proxyUrl) {
      const { name: networkmode } = await options.buildNetwork();
      const output = new BuildOutput(onLine);
      try {
        const stream = await docker.buildImage(contextOf(recipe, installation), {
          t: tagOf(recipe.hash),
          // Predefined arguments: the engine keeps them out of history and cache.
          buildargs: proxyUrl === undefined ? {} : proxyArguments(proxyUrl),
          networkmode,
          rm: true,
          forcerm: true,
          memory: buildMemoryBytes,
          memswap: buildMemoryBytes,
          abortSignal: signal,
        });
        for await (const chunk of stream) output.write(chunk as Buffer);
        output.end();
      } catch (error) {
        signal.throwIfAborted();
        throw toEngineError(error, "building an image");
      }
      signal.throwIfAborted();
      if (output.failure !== undefined) throw buildFailed(output.failure, output.lastLines);
      const id = await this.find(recipe.hash);
      if (id === undefined)
        throw buildFailed("the engine ended the build without an image", output.lastLines);
      return id;
    },

    async list() {
      const found = await asking("listing images", () =>
        docker.listImages({ filters: labelFilter(installation) }),
      );
      return found.flatMap((image) => {
        const hash = image.Labels?.[recipeLabel];
        if (!hash || !image.RepoTags?.includes(tagOf(hash))) return [];
        const createdAt = new Date(image.Created * 1000).toISOString();
        return [{ id: image.Id, hash, createdAt, bytes: image.Size }];
      });
    },

    async remove(hash) {
      await askingUnless([404, 409], "removing an image", () => docker.getImage(tagOf(hash)).remove());
    },
  };
}

function contextOf(recipe: ImageRecipe, installation: string): NodeJS.ReadableStream {
  const context = pack();
  const epoch = new Date(0); // the same recipe is the same context: the engine's cache holds
  // Labels as one last instruction: given as parameters, each would be one.
  const labels = `LABEL ${installationLabel}=${installation} ${recipeLabel}=${recipe.hash}\n`;
  context.entry({ name: "Dockerfile", mode: 0o644, mtime: epoch }, `${recipe.dockerfile}\n${labels}`);
  for (const [name, { content, mode }] of Object.entries(recipe.files)) {
    context.entry({ name, mode, mtime: epoch }, content);
  }
  context.finalize();
  return Readable.from(context, { objectMode: false });
}

function proxyArguments(url: string): Record<string, string> {
  return { http_proxy: url, https_proxy: url, HTTP_PROXY: url, HTTPS_PROXY: url, no_proxy: "", NO_PROXY: "" };
}

function buildFailed(failure: string, lastLines: readonly string[]): Error {
  const full = toEngineError(new Error(failure), "building an image");
  if (full instanceof ActionNeededError) return full; // the disk
  const shown = lastLines.length > 0 ? `:\n${lastLines.join("\n")}` : "";
  return new ActionNeededError(
    "BUILD_FAILED",
    `the image could not be built: ${messageOf(failure)}${shown}`,
    {
      hint: "look at the packages of the workspace: a name or version may not exist",
    },
  );
}
