import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parsePipConfig, readMachinePip } from "./machine-pip.ts";

test("pip's configuration is read as pip reads it", () => {
  const text = `; comment
[global]
index-url = https://one.test/simple
extra_index_url =
    file:///srv/a
    file:///srv/b
# another
[freeze]
timeout = 10
[install]
index-url: https://two.test/simple
[__proto__]
polluted = yes
`;
  expect(parsePipConfig(text)).toEqual({
    "index-url": "https://two.test/simple",
    "extra-index-url": "\nfile:///srv/a\nfile:///srv/b",
  });
});

test("the environment wins over files, and a file named there over the user's", async () => {
  const home = await mkdtemp(join(tmpdir(), "pip-"));
  await mkdir(join(home, ".config/pip"), { recursive: true });
  await writeFile(
    join(home, ".config/pip/pip.conf"),
    "[global]\nindex-url = https://user.test/\nfind-links = /srv/u\n",
  );
  await writeFile(join(home, "own.conf"), "[global]\nindex-url = https://own.test/\nno-index = true\n");
  const environment = { HOME: home, PIP_CONFIG_FILE: join(home, "own.conf") };
  expect(await readMachinePip(environment)).toMatchObject({
    indexUrl: "https://own.test/",
    findLinks: ["/srv/u"],
    noIndex: true,
  });
  const more = {
    ...environment,
    PIP_INDEX_URL: "https://env.test/",
    PIP_FIND_LINKS: "/a /b",
    PIP_CERT: "/ca.pem",
  };
  expect(await readMachinePip(more)).toMatchObject({
    indexUrl: "https://env.test/",
    findLinks: ["/a", "/b"],
    cert: "/ca.pem",
  });
  expect(await readMachinePip({ HOME: home, PIP_CONFIG_FILE: "/dev/null" })).toMatchObject({
    extraIndexUrls: [],
    findLinks: [],
    noIndex: false,
  });
  await rm(home, { recursive: true });
});
