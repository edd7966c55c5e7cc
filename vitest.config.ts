import { defineConfig } from "vitest/config";

// Ours only: Vitest hands them on to Node.js, where "import" would make CommonJS packages load ES modules.
const conditions = ["dtaas-source"];

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
          sequence: { groupOrder: 2 },
          include: ["test/story/**/*.test.ts"],
          testTimeout: 180_000,
          hookTimeout: 240_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
