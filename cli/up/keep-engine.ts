import type { StartedEngine } from "#embedded/engine/start-dockerd";
import type { Running } from "./running.ts";

/** The engine that preparing has started, in the form of a process that is kept up: the first start hands it over, each later one makes another. */
export function engineToKeep(first: StartedEngine): () => Promise<Running> {
  let engine: StartedEngine | undefined;
  return async () => {
    engine = engine === undefined ? first : await engine.startAgain();
    return running(engine);
  };
}

function running(engine: StartedEngine): Running {
  let letGo: (how: string) => void = () => undefined;
  const handedOver = new Promise<string>((resolve) => {
    letGo = resolve;
  });
  return {
    exited: Promise.race([engine.exited, handedOver]),
    stop: async () => {
      const { keptFor } = await engine.stop();
      letGo("stopped"); // also where it stays up, for containers of others
      return keptFor.length > 0 ? `stays up for ${keptFor.join(", ")}` : "as it was found";
    },
  };
}
