import { defineConfig } from "vitest/config";

// npm run kills -- [number] [seed]: takes minutes, so it stands apart from npm test.
export default defineConfig({
  resolve: { conditions: ["dtaas-source"] },
  ssr: { resolve: { conditions: ["dtaas-source"] } },
  test: {
    name: "kills",
    include: ["test/kills/**/*.test.ts"],
    reporters: ["default", "./test/summary-reporter.ts"],
    disableConsoleIntercept: true,
  },
});
