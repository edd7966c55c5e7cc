import { expect, test } from "vitest";
import { readForgeConfig } from "./config.ts";

test("settings come from the environment, with safe ones where none are given", () => {
  expect(readForgeConfig({ DTAAS_FORGE_DATA: "/data", PATH: "/bin" })).toEqual({
    dataFolder: "/data",
    host: "127.0.0.1",
    port: 0,
    url: undefined,
    rootToken: undefined,
    requestsPerMinute: undefined,
    path: "/bin",
    logLevel: "info",
  });
});

test("jobs of pipelines go by folders of the data folder that is shared with a runner", () => {
  const environment = { DTAAS_FORGE_DATA: "/data/forge", DTAAS_FORGE_RUNNER_DATA: "/data" };
  expect(readForgeConfig(environment).exchange).toEqual({ jobs: "/data/ci-jobs", runs: "/data/ci-runs" });
});

test("every problem is named at once", () => {
  const environment = {
    DTAAS_FORGE_PORT: "http",
    DTAAS_FORGE_URL: "ftp://x",
    DTAAS_FORGE_ROOT_TOKEN: "short",
    DTAAS_FORGE_REQUESTS_PER_MINUTE: "0",
    DTAAS_LOG_LEVEL: "loud",
  };
  expect(() => readForgeConfig(environment)).toThrow(
    /DTAAS_FORGE_DATA.*DTAAS_FORGE_PORT.*DTAAS_FORGE_URL.*DTAAS_FORGE_ROOT_TOKEN.*DTAAS_FORGE_REQUESTS_PER_MINUTE.*DTAAS_LOG_LEVEL/,
  );
});
