import { expect, test } from "vitest";
import { redactSecrets, valueRedactor } from "./redaction.ts";

const mark = "[redacted secret]";

test("credentials that are known by their looks are taken out of any text", () => {
  expect(redactSecrets("PRIVATE-TOKEN: glpat-abcdefghij0123456789")).toBe("PRIVATE-TOKEN: [redacted token]");
  expect(redactSecrets("https://ada:wonderland@example.org/x")).toBe("https://ada:[redacted]@example.org/x");
});

test("a value is taken out as it is, in JSON, in an address and in base64", () => {
  const value = 'p/4$(w+"rd é';
  const redact = valueRedactor([value]);
  const base64 = Buffer.from(value).toString("base64");
  for (const form of [value, JSON.stringify(value).slice(1, -1), encodeURIComponent(value), base64]) {
    const clean = redact(`before ${form} after`);
    expect(clean).toContain(mark);
    expect(clean).not.toContain(form.replace(/=+$/, ""));
    expect(clean).toMatch(/^before .* after$/);
  }
});

test("of a value with several lines each line is taken out, whatever it ends with", () => {
  const redact = valueRedactor(["-----BEGIN KEY-----\r\nMIIEvQIBADANBg\r\nshort\r\n"]);
  expect(redact("MIIEvQIBADANBg")).toBe(mark);
  expect(redact("a short line")).toBe("a short line");
});

test("a short value is taken out as a word only, and a very short one not at all", () => {
  const redact = valueRedactor(["tank", "on"]);
  expect(redact("the tank of the tanker is on")).toBe(`the ${mark} of the tanker is on`);
  expect(redact("tank_1 tank.")).toBe(`tank_1 ${mark}.`);
});

test("where one value is part of another nothing of the longer one is left", () => {
  expect(valueRedactor(["password", "password-of-ada"])("password-of-ada!")).toBe(`${mark}!`);
});

test("without values the text stays as it is", () => {
  expect(valueRedactor([])("text")).toBe("text");
  expect(valueRedactor([""])("text")).toBe("text");
});
