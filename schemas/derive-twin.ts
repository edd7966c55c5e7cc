import {
  builtInDefaults,
  defaultGraceMs,
  defaultIntegrationLevel,
  defaultRestart,
  defaultRollout,
  defaultTimeoutMs,
  type TwinDefaults,
} from "./defaults.ts";
import { isOperationName } from "./operation-name.ts";
import type { OperationSpec, TwinDocument } from "./twin-spec.ts";

/**
 * The spec of a folder without dt.yaml: stopped, one operation for each executable script in its `lifecycle/`
 * folder, everything else default. `scripts` are file names; those that cannot name an operation are left out.
 */
export function deriveTwin(
  folder: string,
  scripts: readonly string[],
  defaults: TwinDefaults = builtInDefaults,
): TwinDocument {
  const { workspace, resources } = defaults;
  return {
    metadata: { name: folder, title: folder, description: "", labels: {} },
    state: "stopped",
    suspend: false,
    derived: true,
    spec: {
      integrationLevel: defaultIntegrationLevel,
      workspace: {
        template: workspace.template,
        packages: { apt: [...workspace.packages.apt], pip: [...workspace.packages.pip] },
      },
      assets: [],
      environment: {},
      lifecycle: deriveLifecycle(folder, scripts),
      dependsOn: [],
      restart: { ...defaultRestart },
      rollout: defaultRollout(defaultIntegrationLevel),
      resources: { ...resources },
    },
  };
}

/** As many as a dt.yaml may name; further scripts are no operations. */
const maxOperations = 50;

/** One operation for each script in the `lifecycle/` folder of the twin in this folder. */
export function deriveLifecycle(folder: string, scripts: readonly string[]): Record<string, OperationSpec> {
  const operations = [...scripts].filter(isOperationName).sort().slice(0, maxOperations);
  return Object.fromEntries(
    operations.map((name) => {
      const timeoutMs = defaultTimeoutMs(name);
      const operation: OperationSpec = {
        run: `lifecycle/${name}`,
        workingDir: twinFolder(folder),
        ...(timeoutMs === undefined ? {} : { timeoutMs }),
        graceMs: defaultGraceMs,
        outputs: [],
      };
      return [name, operation];
    }),
  );
}

/** Path of a twin's folder from the root of the repository. */
export function twinFolder(folder: string): string {
  return `digital_twins/${folder}`;
}
