import { expect, test } from "vitest";
import {
  type ChildSettings,
  controllerEnvironment,
  forgeEnvironment,
  runnerEnvironment,
} from "./child-environments.ts";

const settings: ChildSettings = {
  dataFolder: "/data",
  redisUrl: "redis://:redis-secret@127.0.0.1:7000",
  dockerHost: "unix:///engine.sock",
  logLevel: "info",
  secrets: {
    version: 1,
    installation: "abcd1234",
    redisPassword: "redis-secret",
    webhookSecret: "hook-secret",
    forgeRootToken: "root-token",
    sessionSecret: "session-secret",
    application: { clientId: "client", secret: "client-secret" },
    accounts: {
      "dtaas-bot": { password: "p", token: "bot-token" },
      user1: { password: "q", token: "user1-token" },
    },
  },
  ports: { http: 1, forge: 2, metrics: 3 },
  runnerKey: "age1-public",
  environment: {
    HOME: "/root",
    AWS_SECRET_ACCESS_KEY: "mine",
    NODE_OPTIONS: "--inspect",
    PIP_INDEX_URL: "index",
  },
};
const children = {
  forge: forgeEnvironment(settings),
  controller: controllerEnvironment(settings),
  runner: runnerEnvironment(settings),
};
const holders = (text: string) =>
  Object.entries(children).flatMap(([name, environment]) =>
    Object.values(environment).some((value) => value.includes(text)) ? [name] : [],
  );

test("the platform's token is the controller's alone, the administrator's the forge's", () => {
  expect(holders("bot-token")).toEqual(["controller"]);
  expect(holders("root-token")).toEqual(["forge"]);
  expect(holders("user1-token")).toEqual([]);
});

test("what people sign in with is the controller's alone", () => {
  expect(holders("session-secret")).toEqual(["controller"]);
  expect(holders("client-secret")).toEqual(["controller"]);
});

test("the forge gets jobs to a runner only where a container engine locks them up", () => {
  expect(children.forge["DTAAS_FORGE_RUNNER_DATA"]).toBe("/data");
  const alone = forgeEnvironment({ ...settings, processEngine: { user: "user1" } });
  expect(alone["DTAAS_FORGE_RUNNER_DATA"]).toBeUndefined();
});

test("the engine is the runner's alone", () => {
  expect(holders("engine.sock")).toEqual(["runner"]);
});

test("what secrets are sealed to is told to the controller by its configuration", () => {
  expect(holders("age1-public")).toEqual(["controller"]);
});

test("the forge cannot reach Redis", () => {
  expect(holders("redis-secret")).toEqual(["controller", "runner"]);
});

test("nothing of the environment of whoever starts it goes further unless it is named", () => {
  expect(holders("mine")).toEqual([]);
  expect(holders("--inspect")).toEqual([]);
  expect(holders("index")).toEqual(["runner"]);
});
