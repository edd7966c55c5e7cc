import { mkdtemp } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { writeJsonAtomic } from "#core/atomic-file";
import { choosePorts } from "./ports.ts";

const servers: Server[] = [];
const newFolder = () => mkdtemp(join(tmpdir(), "ports-"));
const nothingAsked = { port: undefined, forgePort: undefined };

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

async function takePort(): Promise<number> {
  const server = createServer();
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

test("ports are the same from start to start, so that clones keep their remote", async () => {
  const folder = await newFolder();
  const first = await choosePorts(folder, nothingAsked);
  const second = await choosePorts(folder, nothingAsked);
  expect({ http: second.ports.http, forge: second.ports.forge }).toEqual({
    http: first.ports.http,
    forge: first.ports.forge,
  });
  expect(second.replaced).toEqual([]);
});

test("a remembered port that somebody else listens on is replaced, said and remembered", async () => {
  const folder = await newFolder();
  const taken = await takePort();
  await writeJsonAtomic(join(folder, "ports.json"), { http: taken, forge: taken });
  const { ports, replaced } = await choosePorts(folder, nothingAsked);
  expect(ports.http).not.toBe(taken);
  expect(new Set(Object.values(ports)).size).toBe(3);
  expect(replaced[0]).toContain(`port ${taken} is taken, ${ports.http} is used instead`);
  expect((await choosePorts(folder, nothingAsked)).ports.http).toBe(ports.http);
});

test("a port that was asked for and is taken is an error, not another port", async () => {
  const taken = await takePort();
  await expect(choosePorts(await newFolder(), { port: taken, forgePort: undefined })).rejects.toMatchObject({
    code: "PORT_TAKEN",
    message: expect.stringContaining("DTAAS_PORT"),
  });
});
