import { expect, test } from "vitest";
import { checkOwnPage } from "./own-page.ts";

const own = "https://dtaas.example";

function verdict(method: string, headers: Record<string, string>): string {
  try {
    checkOwnPage({ method, get: (name: string) => headers[name] as never }, own);
    return "fine";
  } catch (error) {
    return (error as { code: string }).code;
  }
}

test.each([
  ["a page of ours", { "sec-fetch-site": "same-origin", origin: own }, "fine"],
  ["an old browser on a page of ours", { origin: own }, "fine"],
  [
    "a page of another site",
    { "sec-fetch-site": "cross-site", origin: "https://evil.example" },
    "FOREIGN_REQUEST",
  ],
  [
    "a page on another port of this machine",
    { "sec-fetch-site": "same-site", origin: "https://dtaas.example:1" },
    "FOREIGN_REQUEST",
  ],
  ["somebody who has typed the address", { "sec-fetch-site": "none" }, "FOREIGN_REQUEST"],
  ["a page that does not say where it is from", { origin: "null" }, "FOREIGN_REQUEST"],
  ["nobody knows", {}, "FOREIGN_REQUEST"],
])("a change asked for by %s", (_who, headers, expected) => {
  for (const method of ["POST", "PUT", "DELETE", "PATCH"]) {
    expect(verdict(method, { ...headers, "x-dtaas-request": "1" })).toBe(expected);
    expect(verdict(method, headers)).toBe("FOREIGN_REQUEST"); // a form can be sent by anybody, our header cannot
  }
});

test.each([
  ["a page of ours", { "sec-fetch-site": "same-origin" }, "fine"],
  ["an old browser", {}, "fine"],
  ["somebody who follows a link", { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" }, "fine"],
  [
    "a picture on another page",
    { "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" },
    "FOREIGN_REQUEST",
  ],
  ["a page on another port", { "sec-fetch-site": "same-site", "sec-fetch-mode": "cors" }, "FOREIGN_REQUEST"],
])("a look asked for by %s", (_who, headers, expected) => {
  expect(verdict("GET", headers)).toBe(expected);
});
