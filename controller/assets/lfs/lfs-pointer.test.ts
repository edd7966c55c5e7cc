import { expect, test } from "vitest";
import { parseLfsPointer } from "./lfs-pointer.ts";

const oid = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";
const pointer = (more = "") =>
  Buffer.from(`version https://git-lfs.github.com/spec/v1\n${more}oid sha256:${oid}\nsize 12345\n`);

test("a pointer says the hash and the size, with or without extensions", () => {
  expect(parseLfsPointer(pointer())).toEqual({ oid, bytes: 12_345 });
  expect(parseLfsPointer(pointer(`ext-0-foo sha256:${oid}\n`))).toEqual({ oid, bytes: 12_345 });
});

test.each([
  ["an ordinary text", "hello\n"],
  ["nothing", ""],
  ["another version", `version https://example.org/v2\noid sha256:${oid}\nsize 1\n`],
  ["another hash", "version https://git-lfs.github.com/spec/v1\noid sha1:abc\nsize 1\n"],
  ["an id that climbs", "version https://git-lfs.github.com/spec/v1\noid sha256:../../x\nsize 1\n"],
  ["no size", `version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\n`],
  ["a size below zero", `version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize -1\n`],
  ["a pointer that goes on and on", pointer().toString() + "x".repeat(1024)],
])("%s is no pointer", (_what, text) => {
  expect(parseLfsPointer(Buffer.from(text))).toBeUndefined();
});
