import fc from "fast-check";
import { expect, test } from "vitest";
import { maxBodyBytes, parseBody } from "./parse-body.ts";

const unreadable = expect.objectContaining({ code: "BAD_REQUEST" });

test("what is JSON within the limits is read as it is", () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
      const text = JSON.stringify(value);
      expect(parseBody(Buffer.from(text))).toEqual(JSON.parse(text));
    }),
  );
});

test("brackets, quotes and backslashes inside of strings do not count", () => {
  const text = `[[[{{"${'\\"[{'.repeat(1_000)}`;
  expect(parseBody(Buffer.from(JSON.stringify({ text })))).toEqual({ text });
});

test.each([
  ["lists inside one another", "[".repeat(33) + "]".repeat(33)],
  ["objects inside one another", `${'{"a":'.repeat(33)}1${"}".repeat(33)}`],
  ["half a megabyte of brackets", "[".repeat(512 * 1024)],
])("%s are refused before they are parsed", (_title, text) => {
  expect(() => parseBody(Buffer.from(text))).toThrowError(unreadable);
});

test("thirty-two levels are still read", () => {
  expect(parseBody(Buffer.from("[".repeat(32) + "]".repeat(32)))).toBeInstanceOf(Array);
});

test("a body of very many small parts is refused", () => {
  const text = `[$"0,".repeat(200_000)0]`;
  expect(text.length).toBeLessThan(maxBodyBytes);
  expect(() => parseBody(Buffer.from(text))).toThrowError(unreadable);
});

test("what is no JSON or no UTF-8 is refused", () => {
  for (const bytes of ["", "{", '{"a":1', "nonsense", '"unfinished', "]]]]", '"\\']) {
    expect(() => parseBody(Buffer.from(bytes))).toThrowError(unreadable);
  }
  expect(() => parseBody(Buffer.from([0x22, 0xff, 0x22]))).toThrowError(unreadable);
});

test("any bytes are either read or refused, and never anything else", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      try {
        parseBody(Buffer.from(bytes));
      } catch (error) {
        expect(error).toEqual(unreadable);
      }
    }),
  );
});

test("__proto__ and constructor are names like any other and change no object", () => {
  const body = parseBody(
    Buffer.from(
      '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"project":{"__proto__":{"id":5}}}',
    ),
  );
  expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  expect((body as Record<string, unknown>)["polluted"]).toBeUndefined();
  expect((body as { project: { id?: number } }).project.id).toBeUndefined();
});
