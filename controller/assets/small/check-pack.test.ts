import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { deflateSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { commitFiles, runGitIn } from "#test/fixtures/git-http-server";
import { checkPack, PackRefused } from "./check-pack.ts";

const limits = { maxObjects: 100, maxUnpackedBytes: 1024 * 1024 };
let root: string;
let gitDir: string;

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "check-pack-"));
  gitDir = root;
  runGitIn(gitDir, ["init", "--quiet", "--bare", "--initial-branch=main", "."]);
});

afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Everything that `main` reaches, as git packs it. */
function packOf(files: Record<string, string>): Buffer {
  commitFiles(gitDir, files);
  const args = ["pack-objects", "--revs", "--stdout", "--quiet", "--delta-base-offset"];
  return execFileSync("git", args, { cwd: gitDir, input: "main\n", maxBuffer: 64 * 1024 * 1024 });
}

/** One object of a pack, its content packed or not. */
function object(kind: number, bytes: number, ...rest: Buffer[]): Buffer {
  const head: number[] = [];
  let left = Math.floor(bytes / 16);
  head.push((kind << 4) | (bytes % 16) | (left > 0 ? 128 : 0));
  for (; left > 0; left = Math.floor(left / 128)) head.push((left % 128) | (left >= 128 ? 128 : 0));
  return Buffer.concat([Buffer.from(head), ...rest]);
}

function pack(...objects: Buffer[]): Buffer {
  const head = Buffer.alloc(12);
  head.write("PACK");
  head.writeUInt32BE(2, 4);
  head.writeUInt32BE(objects.length, 8);
  return Buffer.concat([head, ...objects, Buffer.alloc(20)]);
}

test("a pack of git's, deltas included, is counted to the byte", () => {
  const text = Array.from({ length: 400 }, (_, n) => `line ${n}\n`).join("");
  const first = packOf({ "a.txt": text });
  const { objects, unpackedBytes } = checkPack(first, limits);
  expect(objects).toBe(3);
  expect(unpackedBytes).toBeGreaterThan(text.length);
  const second = checkPack(packOf({ "a.txt": `${text}one more\n` }), limits);
  expect(second.objects).toBe(6);
  expect(second.unpackedBytes).toBeGreaterThan(2 * text.length);
});

test("a few kilobytes that stand for megabytes are refused", () => {
  const bomb = packOf({ "zeros.bin": "0".repeat(8 * 1024 * 1024) });
  expect(bomb.length).toBeLessThan(64 * 1024);
  expect(() => checkPack(bomb, limits)).toThrow(PackRefused);
});

test("so is a delta that copies its base a thousand times", () => {
  const base = Buffer.alloc(64 * 1024, 1);
  const copyAll = Buffer.from([0x80 | 0x40, 1]); // offset 0, size 0x010000
  const result = 1_000 * base.length;
  const number = (value: number) => {
    const bytes: number[] = [];
    let left = value;
    do {
      bytes.push((left % 128) | (left >= 128 ? 128 : 0));
      left = Math.floor(left / 128);
    } while (left > 0);
    return Buffer.from(bytes);
  };
  const delta = Buffer.concat([number(base.length), number(result), ...Array(1_000).fill(copyAll)]);
  const first = object(3, base.length, deflateSync(base));
  const distance = number(first.length).length === 1 ? Buffer.from([first.length]) : undefined;
  const back = distance ?? Buffer.from([((first.length >> 7) - 1) | 128, first.length & 127]);
  const bomb = pack(first, object(6, delta.length, back, deflateSync(delta)));
  expect(bomb.length).toBeLessThan(1_024);
  expect(() => checkPack(bomb, limits)).toThrow("too large once it is unpacked");
  expect(checkPack(bomb, { ...limits, maxUnpackedBytes: 2 * result }).unpackedBytes).toBe(
    base.length + delta.length + result,
  );
});

test("an object that is larger than it says is not unpacked further than it says", () => {
  const lie = pack(object(3, 10, deflateSync(Buffer.alloc(1024 * 1024))));
  expect(() => checkPack(lie, limits)).toThrow("cannot be unpacked");
});

test.each([
  ["nothing", Buffer.alloc(0)],
  ["something else", Buffer.alloc(100, "x")],
  ["a pack that ends in the middle", pack(object(3, 500, deflateSync(Buffer.alloc(500)).subarray(0, 8)))],
  [
    "a pack with something behind its objects",
    pack(object(3, 1, deflateSync(Buffer.from("a"))), Buffer.alloc(3)).fill(1, 11, 12),
  ],
])("%s is refused", (_what, bytes) => {
  expect(() => checkPack(bytes, limits)).toThrow(PackRefused);
});

test("more objects than allowed are refused before they are looked at", () => {
  const one = object(3, 1, deflateSync(Buffer.from("a")));
  expect(() => checkPack(pack(...Array(101).fill(one)), limits)).toThrow("too many objects");
});
