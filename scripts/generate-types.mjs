#!/usr/bin/env node
// Writes schemas/generated/*.ts from schemas/*.schema.json and schemas/documents/*.schema.json.
// With --check it writes nothing and fails when a file is stale, missing or left over.
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { compile } from "json-schema-to-typescript";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const target = join(root, "schemas", "generated");
const checkOnly = process.argv.includes("--check");
const suffix = ".schema.json";

const banner = (source) => `// Generated from ${source} by scripts/generate-types.mjs; do not edit.`;

async function typesOf(source) {
  const schema = JSON.parse(await readFile(join(root, source), "utf8"));
  return compile(schema, schema.title, {
    bannerComment: banner(source),
    additionalProperties: true,
    ignoreMinAndMaxItems: true,
    strictIndexSignatures: false,
    unreachableDefinitions: false,
    style: { printWidth: 110, singleQuote: false },
  });
}

const stale = [];
const written = new Set();
await mkdir(target, { recursive: true });
for (const folder of ["schemas", "schemas/documents"]) {
  const names = (await readdir(join(root, folder))).filter((name) => name.endsWith(suffix)).sort();
  for (const name of names) {
    const file = `${name.slice(0, -suffix.length)}.ts`;
    if (written.has(file)) throw new Error(`two schemas are called ${name}`);
    written.add(file);
    const wanted = await typesOf(`${folder}/${name}`);
    const present = await readFile(join(target, file), "utf8").catch(() => undefined);
    if (present === wanted) continue;
    stale.push(file);
    if (!checkOnly) await writeFile(join(target, file), wanted);
  }
}
for (const file of await readdir(target)) {
  if (written.has(file)) continue;
  stale.push(file);
  if (!checkOnly) await rm(join(target, file));
}
if (written.size === 0) throw new Error("no schema was found");

if (!checkOnly) {
  console.log(stale.length === 0 ? "generated types are up to date" : `written: ${stale.join(", ")}`);
} else if (stale.length > 0) {
  console.error(`stale: ${stale.join(", ")} in schemas/generated. Run: node scripts/generate-types.mjs`);
  process.exitCode = 1;
}
