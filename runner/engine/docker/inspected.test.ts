import type Docker from "dockerode";
import { expect, test } from "vitest";
import type { Container } from "../engine.ts";
import { InspectedContainers } from "./inspected.ts";

const summary = (State = "running", network = "n1") =>
  ({
    Id: "c1",
    Names: ["/dtaas-tank"],
    State,
    NetworkSettings: { Networks: { [network]: { NetworkID: network, EndpointID: "e1" } } },
  }) as unknown as Docker.ContainerInfo;
const container = { id: "c1", state: "running" } as Container;

function followed(): InspectedContainers {
  const inspected = new InspectedContainers();
  inspected.follow(true);
  inspected.begin(summary())(container);
  return inspected;
}

test("a running container that nothing has happened to is not inspected again", () => {
  expect(followed().get(summary())).toBe(container);
});

test("an event about it, another state or another network, and it is", () => {
  const touched = followed();
  touched.forget("c1");
  expect(touched.get(summary())).toBeUndefined();
  expect(followed().get(summary("exited"))).toBeUndefined();
  expect(followed().get(summary("running", "n2"))).toBeUndefined();
});

test("while nobody follows the events nothing is believed, and nothing from before a break", () => {
  const inspected = new InspectedContainers();
  inspected.begin(summary())(container);
  expect(inspected.get(summary())).toBeUndefined();
  const broken = followed();
  broken.follow(false);
  broken.follow(true);
  expect(broken.get(summary())).toBeUndefined();
});

test("what was found while an event came may be older than the event", () => {
  const inspected = followed();
  const keep = inspected.begin(summary());
  inspected.forget("c1");
  keep(container);
  expect(inspected.get(summary())).toBeUndefined();
});

test("what ended is inspected each time", () => {
  const inspected = new InspectedContainers();
  inspected.follow(true);
  inspected.begin(summary("exited"))({ ...container, state: "exited" });
  expect(inspected.get(summary("exited"))).toBeUndefined();
});
