import { expect, test } from "vitest";
import { debianSources } from "./machine-apt.ts";

const known = [
  "Packages|http://mirror/debian/|bookworm|main|bookworm|Debian",
  "Packages|http://mirror/debian/|stable|contrib|bookworm|Debian",
  "Translations|http://mirror/debian/|bookworm|main|bookworm|Debian",
  "Packages|https://tools/apt/|bookworm|stable|bookworm|Tools Inc.",
].join("\n");
const all = [
  "Packages|http://mirror/debian/|bookworm|main|$(CODENAME)|$(ORIGIN)",
  "Packages|http://mirror/debian/|bookworm-updates|main|$(CODENAME)|$(ORIGIN)",
  "Packages|http://mirror/security/|bookworm-security|main|$(CODENAME)|$(ORIGIN)",
  "Packages|https://tools/apt/|bookworm|stable|$(CODENAME)|$(ORIGIN)",
  "Packages|http://other/|nodistro|main|$(CODENAME)|$(ORIGIN)",
  "Packages|http://other/|bookwormish|main|$(CODENAME)|$(ORIGIN)",
  "",
].join("\n");

test("the sources of Debian's release are taken, downloaded before or not, and nobody else's", () => {
  expect(debianSources(known, all, "bookworm")).toEqual([
    { uri: "http://mirror/debian/", release: "bookworm", component: "main" },
    { uri: "http://mirror/debian/", release: "stable", component: "contrib" },
    { uri: "http://mirror/debian/", release: "bookworm-updates", component: "main" },
    { uri: "http://mirror/security/", release: "bookworm-security", component: "main" },
  ]);
});

test("a machine of another release or system has none", () => {
  expect(debianSources(known, all, "trixie")).toEqual([]);
  expect(debianSources("", "", "bookworm")).toEqual([]);
});
