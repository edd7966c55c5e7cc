import { defineConfig } from "vitest/config";

const conditions = ["dtaas-source", "node", "module", "import", "default"];

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
          include: ["{core,schemas,planning,controller,runner,templates,embedded,cli,test}/**/*.test.ts"],
          exclude: ["**/*.integration.test.ts", "test/story/**", "**/node_modules/**"],
        },
      },
      {
        extends: true,
        test: {
          name: "integration",
          include: ["**/*.integration.test.ts"],
          exclude: ["dist/**", "**/node_modules/**"],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          maxWorkers: 2,
        },
      },
      {
        extends: true,
        test: {
          name: "story",
          include: ["test/story/**/*.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 240_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
