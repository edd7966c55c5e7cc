import { defineConfig } from "vitest/config";

// Ours only: Vitest hands them on to Node.js, where "import" would make CommonJS packages load ES modules.
const conditions = ["dtaas-source"];

// What cannot run where no container engine can be had: `npm test` says so and why. Never left out under CI.
const needDocker = [
  "runner/engine/docker/**/*.integration.test.ts",
  "runner/images/workspace-images.integration.test.ts",
  "embedded/machine/base-image.integration.test.ts",
  "test/hostile/{,preview-}isolation.integration.test.ts",
  "test/story/!(process-*).test.ts",
];
const { DTAAS_TESTS_WITHOUT_ENGINE: withoutEngine, CI: ci } = process.env;
const leftOut = withoutEngine && ci !== "true" ? needDocker : [];

// Three projects by what they need: nothing, a daemon, or the whole platform.
export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    reporters: ["default", "./test/summary-reporter.ts"],
    projects: [
      {
        extends: true,
        test: {
          name: "unit",
          testTimeout: 30_000, // on a busy machine; no test waits for it
          sequence: { groupOrder: 0 },
          include: ["{core,schemas,planning,controller,runner,templates,embedded,cli,test}/**/*.test.ts"],
          exclude: ["**/*.integration.test.ts", "test/story/**", "test/kills/**", "**/node_modules/**"],
        },
      },
      {
        extends: true,
        test: {
          name: "integration",
          sequence: { groupOrder: 1 },
          include: ["**/*.integration.test.ts"],
          exclude: ["dist/**", "**/node_modules/**", ...leftOut],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          maxWorkers: 2,
        },
      },
      {
        extends: true,
        test: {
          name: "story",
          sequence: { groupOrder: 2 },
          include: ["test/story/**/*.test.ts"],
          exclude: ["**/node_modules/**", ...leftOut],
          testTimeout: 180_000,
          hookTimeout: 240_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
