import { join } from "node:path";
import { expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { packageRoot } from "#core/package-root";
import { renderTwinJobs } from "./render-twin-jobs.ts";

interface Job {
  extends: string;
  environment?: Record<string, string>;
  resource_group?: string;
  rules: Record<string, unknown>[];
}

async function jobs(): Promise<Record<string, Job & Record<string, unknown>>> {
  const documents = parseAllDocuments(await renderTwinJobs());
  if (!Array.isArray(documents)) throw new Error("no documents");
  expect(documents.flatMap((document) => [...document.errors, ...document.warnings])).toEqual([]);
  expect(documents).toHaveLength(2);
  return documents[1]?.toJS() as Record<string, Job & Record<string, unknown>>;
}

test("the file that the examples include is made from the templates", async () => {
  const path = join(packageRoot, "examples/common/templates/twins.yml");
  await expect(await renderTwinJobs()).toMatchFileSnapshot(path);
});

test("each operation users know has a job, and any other one has `operation`", async () => {
  const { ".dtaas": shared, ...named } = await jobs();
  expect(Object.keys(named)).toEqual([
    ...["create", "execute", "save", "analyse", "terminate", "clean"],
    "operation",
  ]);
  expect(shared).toMatchObject({
    resource_group: "dtaas/$DTName",
    id_tokens: { DTAAS_ID_TOKEN: { aud: "$DTAAS_URL" } },
  });
});

test("a pipeline that is about no twin gets no job of ours", async () => {
  const { ".dtaas": _shared, ...named } = await jobs();
  for (const job of Object.values(named)) {
    expect(job.rules[0]).toEqual({ if: '$DTName == null || $DTName == ""', when: "never" });
  }
});

test("a twin that was started is stopped by terminate, which waits for nobody", async () => {
  const { execute, terminate } = await jobs();
  expect(execute?.environment).toEqual({ name: "dtaas/$DTName", on_stop: "terminate" });
  expect(terminate?.environment).toEqual({ name: "dtaas/$DTName", action: "stop" });
  expect(terminate?.resource_group).toBe("dtaas/$DTName/terminate");
  expect(terminate?.rules).toContainEqual({
    if: '$DTOperation == "execute"',
    when: "manual",
    allow_failure: true,
  });
});
