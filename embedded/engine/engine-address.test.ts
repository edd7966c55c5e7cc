import { expect, test } from "vitest";
import { engineAddress } from "./engine-address.ts";

test("without DOCKER_HOST the default socket is used", () => {
  expect(engineAddress({}).request).toEqual({ socketPath: "/var/run/docker.sock" });
});

test("DOCKER_HOST names a socket or a host", () => {
  expect(engineAddress({ DOCKER_HOST: "unix:///run/other.sock" }).request).toEqual({
    socketPath: "/run/other.sock",
  });
  expect(engineAddress({ DOCKER_HOST: "tcp://engine.test:2375" })).toMatchObject({
    protocol: "http:",
    request: { host: "engine.test", port: "2375" },
  });
  expect(engineAddress({ DOCKER_HOST: "tcp://engine.test", DOCKER_TLS_VERIFY: "1" })).toMatchObject({
    protocol: "https:",
    request: { port: 2376 },
  });
});

test("anything else is refused with what would be right", () => {
  expect(() => engineAddress({ DOCKER_HOST: "ssh://somewhere" })).toThrow(
    expect.objectContaining({ code: "DOCKER_HOST_INVALID", hint: expect.stringContaining("unix:///path") }),
  );
});
