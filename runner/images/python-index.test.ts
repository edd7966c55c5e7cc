import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import http from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { MachinePip } from "./machine-pip.ts";
import { type PythonIndex, parseLinks, pythonIndex } from "./python-index.ts";
import { machineUpstream } from "./upstream-request.ts";

const settings: MachinePip = { extraIndexUrls: [], findLinks: [], noIndex: false, trustedHosts: [] };
const signal = AbortSignal.timeout(20_000);
const servers: http.Server[] = [];
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "index-"));
});

afterAll(async () => {
  for (const server of servers) server.close();
  await rm(folder, { recursive: true });
});

/** Pages and files by path; `undefined` is 404, a number a redirect to that port. */
async function serve(
  answer: (path: string, authorization: string | undefined) => string | undefined,
): Promise<number> {
  const server = http.createServer((request, response) => {
    const found = answer(request.url ?? "", request.headers.authorization);
    if (found?.startsWith("http://")) response.writeHead(302, { location: found }).end();
    else response.writeHead(found === undefined ? 404 : 200).end(found);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

async function content(from: PythonIndex, number: number): Promise<string> {
  const file = await from.file(number, signal);
  return file ? text(file.body) : "no such file";
}

function index(pip: Partial<MachinePip>) {
  return pythonIndex({ ...settings, ...pip }, machineUpstream(settings, {}));
}

test("indexes and folders of the machine come together under one neutral name", async () => {
  const local = join(folder, "local/simple/my-pkg");
  await mkdir(local, { recursive: true });
  await writeFile(
    join(local, "index.html"),
    '<a href="../../files/my_pkg-1.0.tar.gz#sha256=ab12" data-requires-python="&gt;=3.9">x</a>',
  );
  await mkdir(join(folder, "local/files"));
  await writeFile(join(folder, "local/files/my_pkg-1.0.tar.gz"), "sdist");
  const wheels = join(folder, "wheels");
  await mkdir(wheels);
  for (const name of ["my_pkg-2.0-py3-none-any.whl", "my_pkg_more-1.0-py3-none-any.whl", "note.txt"]) {
    await writeFile(join(wheels, name), name);
  }
  const all = index({
    extraIndexUrls: [pathToFileURL(join(folder, "local/simple")).href],
    findLinks: [wheels],
  });
  const page = (await all.page("My.Pkg", signal)) ?? "";
  expect(page).toContain('<a href="/files/0/my_pkg-1.0.tar.gz#sha256=ab12" data-requires-python="&gt;=3.9">');
  expect(page).toContain("/files/1/my_pkg-2.0-py3-none-any.whl");
  expect(page).not.toContain("more");
  expect(page).not.toContain(folder);
  expect(await content(all, 0)).toBe("sdist");
  expect(await content(all, 1)).toBe("my_pkg-2.0-py3-none-any.whl");
  expect(await all.file(2, signal)).toBeUndefined();
  expect(await all.page("unknown", signal)).toBeUndefined();
});

test("credentials go to the host they belong to, and to no other", async () => {
  const seen: string[] = [];
  const other = await serve((path, authorization) => {
    seen.push(`other ${authorization ?? "none"}`);
    return path;
  });
  const first = await serve((path, authorization) => {
    seen.push(`first ${Buffer.from(authorization?.slice(6) ?? "", "base64").toString()}`);
    if (path === "/simple/pkg/")
      return `<a href="/files/pkg-1.zip">a</a><a href='http://127.0.0.1:${other}/pkg-2.zip'>b</a>`;
    return path === "/files/pkg-1.zip" ? `http://127.0.0.1:${other}/moved.zip` : undefined;
  });
  const one = index({ indexUrl: `http://anna:s%40fe@127.0.0.1:${first}/simple` });
  await one.page("pkg", signal);
  expect(await content(one, 0)).toBe("/moved.zip");
  expect(await content(one, 1)).toBe("/pkg-2.zip");
  expect(seen).toEqual(["first anna:s@fe", "first anna:s@fe", "other none", "other none"]);
});

test("an index that is down is passed over while another one has the project, and told otherwise", async () => {
  const up = await serve((path) => (path === "/pkg/" ? '<a href="pkg-1.zip">a</a>' : undefined));
  const urls = ["http://127.0.0.1:1/", `http://127.0.0.1:${up}/`];
  const both = index({ extraIndexUrls: urls });
  expect(await both.page("pkg", signal)).toContain("pkg-1.zip");
  await expect(both.page("missing", signal)).rejects.toThrow();
});

test("pip is pointed to the neutral name, and keeps its default index only where the machine has none", () => {
  const origin = "http://pypi.dtaas.internal";
  expect(index({}).pipConfig(origin)).toContain("extra-index-url = http://pypi.dtaas.internal/simple/\n");
  const own = index({ indexUrl: "https://u:p@index.test/simple" }).pipConfig(origin);
  expect(own).toContain("\nindex-url = http://pypi.dtaas.internal/simple/\n");
  expect(own).not.toContain("index.test");
  expect(index({ noIndex: true }).pipConfig(origin)).toContain("\nindex-url = ");
});

test("a page from the network cannot lead to files of this machine", () => {
  const html =
    '<a href="file:///etc/a.zip">a</a><a href="../b.zip">b</a><a href="javascript:x.zip">c</a><a href="/d.txt">d</a>';
  expect(parseLinks(html, new URL("https://index.test/simple/x/")).map((link) => link.url.href)).toEqual([
    "https://index.test/simple/b.zip",
  ]);
});

test("what a page says cannot break out of ours", () => {
  const html = `<a href="x-1.zip#sha256=&quot;&gt;" data-yanked='"><script>' data-other="1">x</a><A HREF=unquoted.zip>`;
  const [link, ...more] = parseLinks(html, new URL("https://index.test/x/"));
  expect(link).toMatchObject({ fragment: "", attributes: ' data-yanked="&quot;&gt;&lt;script&gt;"' });
  expect(more).toEqual([]);
});
