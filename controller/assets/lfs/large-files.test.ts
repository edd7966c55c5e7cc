import { createHash } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { fetchLargeFiles, type LargeFile } from "./large-files.ts";
import { LfsServer } from "./lfs-server.ts";
import { LfsStore } from "./lfs-store.ts";

const content = Buffer.from("a large model".repeat(1_000));
const oid = createHash("sha256").update(content).digest("hex");
const file: LargeFile = { path: "models/a.bin", oid, bytes: content.length };
const project = { id: 7, path: "dtaas/user1" };
const opened: Server[] = [];
let folder: string;
let seen: { url: string; authorization: string | undefined }[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "lfs-"));
  seen = [];
});
afterEach(async () => {
  for (const server of opened.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
  await rm(folder, { recursive: true, force: true });
});

/** A host that answers as told; what it is asked is noted. */
async function host(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer((request, response) => {
    seen.push({ url: request.url ?? "", authorization: request.headers.authorization });
    answer(request, response);
  });
  opened.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A Git host with one object at `href`; every other request is answered with `rest`. */
async function gitHost(
  object: (base: string) => object | undefined,
  rest: (request: IncomingMessage, response: ServerResponse) => void = (_request, response) =>
    response.end(content),
): Promise<string> {
  let base = "";
  base = await host((request, response) => {
    if (request.url !== "/dtaas/user1.git/info/lfs/objects/batch") return rest(request, response);
    const found = object(base);
    const entry = {
      oid,
      size: content.length,
      ...(found ? { actions: { download: found } } : { error: { code: 404 } }),
    };
    response.end(JSON.stringify({ transfer: "basic", objects: [entry] }));
  });
  return base;
}

function fetching(base: string, origins: string[] = []) {
  const store = new LfsStore(join(folder, "lfs"));
  const access = () => ({ url: `${base}/dtaas/user1.git`, username: "oauth2", password: "platform-token" });
  return fetchLargeFiles({ store, server: new LfsServer(origins), access });
}

const platformToken = `Basic ${Buffer.from("oauth2:platform-token").toString("base64")}`;

test("a large file is fetched from the host once, checked, and found again; the host is asked each time", async () => {
  const base = await gitHost((own) => ({ href: `${own}/object` }));
  const large = fetching(base);
  const place = (await large(project, [file]))(oid);
  expect((await readFile(place)).equals(content)).toBe(true);
  await large(project, [file, { ...file, path: "again" }]);
  expect(seen.map(({ url }) => url.split("/").at(-1))).toEqual(["batch", "object", "batch"]);
  expect(new Set(seen.map(({ authorization }) => authorization))).toEqual(new Set([platformToken]));
});

test("another project with the same pointer gets nothing that its own host does not give it", async () => {
  await fetching(await gitHost((own) => ({ href: `${own}/object` })))(project, [file]);
  const other = fetching(await gitHost(() => undefined));
  await expect(other({ id: 8, path: "dtaas/user1" }, [file])).rejects.toMatchObject({ code: "TREE_REFUSED" });
});

test("a file that the host does not have is named, with what mends it", async () => {
  const large = fetching(await gitHost(() => undefined));
  await expect(large(project, [file])).rejects.toMatchObject({
    code: "TREE_REFUSED",
    where: { file: "models/a.bin" },
    hint: expect.stringContaining("git lfs push --all"),
  });
});

test.each([
  ["another content", Buffer.from("x".repeat(content.length))],
  ["less", content.subarray(1)],
  ["more", Buffer.concat([content, Buffer.alloc(1)])],
])("a host that sends %s is not believed, and nothing of it is kept", async (_what, sent) => {
  const large = fetching(
    await gitHost(
      (own) => ({ href: `${own}/object` }),
      (_request, response) => response.end(sent),
    ),
  );
  await expect(large(project, [file])).rejects.toThrow("another size or content");
  expect(await readdir(join(folder, "lfs", "7", oid.slice(0, 2)))).toEqual([]);
});

test("an address that nobody has named is not spoken to, neither at once nor by a redirect", async () => {
  const other = await host((_request, response) => response.end(content));
  const direct = fetching(await gitHost(() => ({ href: `${other}/secret` })));
  await expect(direct(project, [file])).rejects.toThrow(`keeps large files at ${other}`);
  const redirecting = fetching(
    await gitHost(
      (own) => ({ href: `${own}/object` }),
      (_request, response) => response.writeHead(302, { location: `${other}/secret` }).end(),
    ),
  );
  await expect(redirecting(project, [file])).rejects.toMatchObject({ code: "TREE_REFUSED" });
  expect(seen.filter(({ url }) => url === "/secret")).toEqual([]);
});

test("an origin that the operator has named gets what the host wrote for it, and never the platform's token", async () => {
  const other = await host((_request, response) => response.end(content));
  const signed = { authorization: "Signed for this object" };
  await fetching(await gitHost(() => ({ href: `${other}/signed`, header: signed })), [other])(project, [
    file,
  ]);
  await rm(join(folder, "lfs"), { recursive: true });
  await fetching(
    await gitHost(
      (own) => ({ href: `${own}/object` }),
      (_request, response) => response.writeHead(302, { location: `${other}/redirected` }).end(),
    ),
    [other],
  )(project, [file]);
  const there = seen.filter(({ url }) => url === "/signed" || url === "/redirected");
  expect(there.map(({ authorization }) => authorization)).toEqual(["Signed for this object", undefined]);
});

test("a host that is down is asked again later; one without Git LFS is the commit's trouble", async () => {
  const busy = await host((_request, response) => response.writeHead(503).end());
  await expect(fetching(busy)(project, [file])).rejects.toMatchObject({ name: "TryLaterError" });
  const without = await host((_request, response) => response.writeHead(404).end());
  await expect(fetching(without)(project, [file])).rejects.toMatchObject({ code: "TREE_REFUSED" });
  const torn = await gitHost(
    (own) => ({ href: `${own}/object` }),
    (_request, response) => {
      response.writeHead(200, { "content-length": String(content.length) });
      response.write(content.subarray(0, 100), () => response.destroy());
    },
  );
  await expect(fetching(torn)(project, [file])).rejects.toMatchObject({ name: "TryLaterError" });
});

test("more than one revision may have is refused before anything is fetched", async () => {
  const base = await gitHost((own) => ({ href: `${own}/object` }));
  const huge = { ...file, bytes: 2 * 1024 ** 3 + 1 };
  await expect(fetching(base)(project, [huge])).rejects.toThrow("more than 2147483648");
  expect(seen).toEqual([]);
});

test("what no snapshot links to goes after a while", async () => {
  const large = fetching(await gitHost((own) => ({ href: `${own}/object` })));
  await large(project, [file]);
  const store = new LfsStore(join(folder, "lfs"));
  expect(await store.sweep(60_000)).toBe(0);
  expect(await store.sweep(-1)).toBe(1);
});

test("what a crash left half done of a download goes at once", async () => {
  const large = fetching(await gitHost((own) => ({ href: `${own}/object` })));
  await large(project, [file]);
  const store = new LfsStore(join(folder, "lfs"));
  await writeFile(join(store.path(project.id, file.oid), "..", ".new-0123456789abcdef"), "half");
  expect(await store.sweep(60_000)).toBe(1);
  expect(await store.has(project.id, file)).toBe(true);
});
