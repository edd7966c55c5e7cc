import { isUtf8 } from "node:buffer";
import {
  type ExecutionResult,
  execute,
  GraphQLError,
  NoSchemaIntrospectionCustomRule,
  parse,
  specifiedRules,
  validate,
} from "graphql";
import { ActionNeededError } from "#core/errors";
import type { GitReader } from "../assets/git-reader.ts";
import { checkPath } from "./check-path.ts";
import { limitQuestions } from "./graphql-limits.ts";
import { libraryGraphqlSchema } from "./graphql-schema.ts";

const maxTokens = 500;
const maxTextBytes = 1024 * 1024; // of one file; larger ones are downloaded

export interface GraphqlQuestion {
  query: string;
  variables?: Record<string, unknown>;
  operationName?: string;
}

/** What the answers are made from; rights are asked in here. */
export interface GraphqlSource {
  /** Names of the repositories that the caller may see. */
  names(): Promise<string[]>;
  /** A repository at its head by its name; `undefined` where there is none for the caller. `empty`: no commit yet. */
  open(name: string): Promise<GitReader | "empty" | undefined>;
}

interface Entry {
  name: string;
  path: string;
  type: "blob" | "tree";
}

/**
 * Answers one question. `isValid: false` means that it was not understood or goes beyond the limits, and nothing was
 * read.
 */
export async function answerGraphql(
  question: GraphqlQuestion,
  source: GraphqlSource,
): Promise<{ isValid: boolean; result: ExecutionResult }> {
  let document: ReturnType<typeof parse>;
  try {
    document = parse(question.query, { maxTokens, noLocation: true });
  } catch (error) {
    if (error instanceof GraphQLError) return { isValid: false, result: { errors: [error] } };
    throw error;
  }
  const limits = [limitQuestions, NoSchemaIntrospectionCustomRule];
  let errors = validate(libraryGraphqlSchema, document, limits);
  if (errors.length === 0) errors = validate(libraryGraphqlSchema, document, specifiedRules);
  if (errors.length > 0) return { isValid: false, result: { errors } };
  const result = await execute({
    schema: libraryGraphqlSchema,
    document,
    rootValue: {
      listDirectory: ({ path }: { path: string }) => known(() => listDirectory(source, path)),
      readFile: ({ path }: { path: string }) => known(() => readFile(source, path)),
    },
    ...(question.variables === undefined ? {} : { variableValues: question.variables }),
    ...(question.operationName === undefined ? {} : { operationName: question.operationName }),
  });
  return { isValid: true, result };
}

/** Our errors are told with their code; others must not be told to whoever asks. */
async function known<T>(answer: () => Promise<T>): Promise<T> {
  try {
    return await answer();
  } catch (error) {
    if (!(error instanceof ActionNeededError)) throw error;
    throw new GraphQLError(error.message, { extensions: { code: error.code } });
  }
}

async function listDirectory(source: GraphqlSource, path: string) {
  const { name, inside } = split(path);
  if (name === "") {
    return tree((await source.names()).map((one) => ({ name: one, path: one, type: "tree" })));
  }
  const reader = await source.open(name);
  if (reader === undefined) return null;
  if (reader === "empty") return inside === "" ? tree([]) : null;
  if (reader.entry(inside)?.kind !== "folder") return null;
  const entries = reader.list(inside).flatMap((one): Entry[] => {
    const full = inside === "" ? one : `${inside}/${one}`;
    const kind = reader.entry(full)?.kind;
    return kind === undefined ? [] : [{ name: one, path: full, type: kind === "folder" ? "tree" : "blob" }];
  });
  return tree(entries);
}

async function readFile(source: GraphqlSource, path: string) {
  const { name, inside } = split(path);
  const reader = await source.open(name);
  if (reader === undefined || reader === "empty") return null;
  const entry = reader.entry(inside);
  if (entry?.kind !== "file") return { repository: { tree: null, blobs: connection([]) } };
  const bytes = (await reader.read(inside, maxTextBytes)) ?? new Uint8Array();
  const text = isUtf8(bytes) ? Buffer.from(bytes).toString("utf8") : null;
  const file = { name: inside.slice(inside.lastIndexOf("/") + 1), path: inside, size: bytes.byteLength };
  return {
    repository: { tree: null, blobs: connection([{ ...file, rawBlob: text, rawTextBlob: text }]) },
  };
}

/** `user1/models/tank` -> the repository's name and the path in it. */
function split(path: string): { name: string; inside: string } {
  const [name = "", ...rest] = path.replace(/^\/+|\/+$/g, "").split("/");
  return { name, inside: checkPath(rest.join("/")) };
}

function tree(entries: readonly Entry[]) {
  const of = (type: Entry["type"]) => connection(entries.filter((entry) => entry.type === type));
  return { repository: { tree: { blobs: of("blob"), trees: of("tree") }, blobs: null } };
}

function connection<T>(nodes: readonly T[]) {
  return { nodes, edges: nodes.map((node) => ({ node })) };
}
