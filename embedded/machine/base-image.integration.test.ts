import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { request } from "node:http";
import { extract } from "tar-stream";
import { expect, test } from "vitest";
import { callEngine } from "../engine/call-engine.ts";
import { aptSources } from "./apt.ts";
import { baseImage, hasBaseImage } from "./base-image.ts";
import { commandEnvironment, machineEngine, thisMachine } from "./machine.ts";

const machine = thisMachine(process.env, "/nowhere");
const engine = machineEngine(machine);

test("the base image tells nothing about the machine that made it: no mirror, no apt source, no name of the host", async () => {
  expect(await hasBaseImage(engine)).toBe(true);
  const hosts = (await aptSources(commandEnvironment(machine))).map(({ uri }) => new URL(uri).host);
  expect(hosts.length).toBeGreaterThan(0);
  const name = `dtaas-test-${randomBytes(6).toString("hex")}`;
  const body = JSON.stringify({ Image: baseImage.name, Cmd: ["true"] });
  await createContainer(name, body);
  try {
    const telling: string[] = [];
    const looked: string[] = [];
    await eachFile(name, (path, text) => {
      looked.push(path);
      if (/^(etc|root|home)\//.test(path) && hosts.some((host) => text.includes(host))) telling.push(path);
      if (/^etc\/apt\/(sources\.list|auth\.conf\.d\/)/.test(path) && text !== "") telling.push(path);
      if (/^var\/(log|lib\/apt\/lists|cache\/apt)\//.test(path)) telling.push(path);
      if (path === "etc/machine-id" && text !== "") telling.push(path);
    });
    expect(looked).toContain("etc/debian_version");
    expect(telling).toEqual([]);
  } finally {
    await callEngine(engine, { method: "DELETE", path: `/containers/${name}?force=1`, idleMs: 10_000 });
  }
});

async function createContainer(name: string, body: string): Promise<void> {
  const call = request({
    ...engine.request,
    method: "POST",
    path: `/containers/create?name=${name}`,
    headers: {
      host: "engine",
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
    },
  });
  call.end(body);
  const [response] = (await once(call, "response")) as [import("node:http").IncomingMessage];
  response.resume();
  await once(response, "end");
  expect(response.statusCode).toBe(201);
}

/** Every regular file of a container, as text. */
async function eachFile(name: string, look: (path: string, text: string) => void): Promise<void> {
  const call = request({
    ...engine.request,
    path: `/containers/${name}/export`,
    headers: { host: "engine" },
  });
  call.end();
  const [response] = (await once(call, "response")) as [import("node:http").IncomingMessage];
  const files = extract();
  response.pipe(files);
  for await (const entry of files) {
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    if (entry.header.type === "file")
      look(entry.header.name.replace(/^\.?\//, ""), Buffer.concat(chunks).toString("latin1"));
  }
}
