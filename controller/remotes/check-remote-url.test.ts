import { expect, test } from "vitest";
import type { RemotePolicy } from "#schemas/remotes";
import { checkRemoteUrl, pinned } from "./check-remote-url.ts";

const open: RemotePolicy = { private: [] };
const at =
  (...addresses: string[]) =>
  async () =>
    addresses;

test("an https address on the open internet is connected to where it was checked", async () => {
  const checked = await checkRemoteUrl("https://example.org/me/a.git", open, at("93.184.216.34"));
  expect(checked).toMatchObject({ address: "93.184.216.34", port: 443 });
  expect(pinned(checked)).toEqual({
    "http.curloptResolve": "example.org:443:93.184.216.34",
    "http.proxy": "",
  });
  const six = await checkRemoteUrl("https://example.org:8443/a.git", open, at("2606:2800:220:1::1"));
  expect(pinned(six)["http.curloptResolve"]).toBe("example.org:8443:[2606:2800:220:1::1]");
});

test.each<[string, string, string[]]>([
  ["this machine", "https://localhost/a.git", ["127.0.0.1"]],
  ["this machine by another name", "https://example.org/a.git", ["127.0.0.1"]],
  ["a private network", "https://example.org/a.git", ["10.1.2.3"]],
  ["one of two addresses that is private", "https://example.org/a.git", ["93.184.216.34", "192.168.1.1"]],
  ["the cloud's own address", "https://example.org/latest", ["169.254.169.254"]],
  ["a mapped address", "https://example.org/a.git", ["::ffff:127.0.0.1"]],
  ["IPv6 of this machine", "https://[::1]/a.git", ["::1"]],
  ["plain http", "http://example.org/a.git", ["93.184.216.34"]],
  ["a file", "file:///etc/passwd", []],
  ["a program", "ext::sh -c id", []],
  ["ssh", "ssh://example.org/a.git", []],
  ["an option", "--upload-pack=id", []],
  ["a password in the address", "https://me:secret@example.org/a.git", ["93.184.216.34"]],
  ["a query", "https://example.org/a.git?x=1", ["93.184.216.34"]],
])("%s is refused before anything is sent", async (_what, url, addresses) => {
  await expect(checkRemoteUrl(url, open, at(...addresses))).rejects.toMatchObject({
    code: "REMOTE_NOT_ALLOWED",
  });
});

test("platform.yaml narrows the hosts, and allows single private ones by their port", async () => {
  const policy: RemotePolicy = { hosts: ["*.example.org", "git.test"], private: ["plant.local:8080"] };
  const publicAddress = at("93.184.216.34");
  const code = "REMOTE_NOT_ALLOWED";
  await checkRemoteUrl("https://git.example.org/a.git", policy, publicAddress);
  await checkRemoteUrl("https://GIT.test/a.git", policy, publicAddress);
  for (const host of ["example.org", "evil-example.org", "git.test.evil.org"]) {
    await expect(checkRemoteUrl(`https://${host}/a`, policy, publicAddress)).rejects.toMatchObject({ code });
  }
  await checkRemoteUrl("http://plant.local:8080/a.git", policy, at("10.0.0.7"));
  await expect(checkRemoteUrl("http://plant.local/a", policy, at("10.0.0.7"))).rejects.toMatchObject({
    code,
  });
  await expect(
    checkRemoteUrl("https://example.com/a", { hosts: [], private: [] }, publicAddress),
  ).rejects.toMatchObject({ code });
});

test("a name that cannot be resolved now is tried later", async () => {
  const nowhere = async () => {
    throw new Error("ENOTFOUND");
  };
  await expect(checkRemoteUrl("https://nowhere.test/a", open, nowhere)).rejects.toMatchObject({
    name: "TryLaterError",
  });
});
