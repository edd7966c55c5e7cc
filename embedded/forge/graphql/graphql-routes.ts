import express, { type NextFunction, type Request, type Response, Router } from "express";
import { type ExecutionResult, execute, GraphQLError, parse, specifiedRules, validate } from "graphql";
import { tokenOf } from "../access/caller.ts";
import { checkAccess } from "../access/check-access.ts";
import type { ForgeContext } from "../forge-context.ts";
import { ApiError } from "../http/api-error.ts";
import { limitRate } from "../http/rate-limit.ts";
import type { UserRecord } from "../store/records.ts";
import { graphQlSchema } from "./graphql-schema.ts";
import { QueryRoot } from "./query-root.ts";
import { undefinedField } from "./undefined-field.ts";

const maxBody = 1024 * 1024;
const maxTokens = 1_000; // words and signs of a query; ours have thirty
const rules = [...specifiedRules.filter(({ name }) => name !== "FieldsOnCorrectTypeRule"), undefinedField];

/** `POST /api/graphql`: what GitLab's GraphQL tells of projects, for whoever wants to know of many in one call. */
export function graphQlRoutes(context: ForgeContext): Router {
  const routes = Router({ caseSensitive: true });
  if (context.requestsPerMinute !== undefined) routes.use(limitRate(context, context.requestsPerMinute));
  routes.use(express.json({ limit: maxBody }));
  routes.post("/", async (request, response) => {
    response.json(await answer(context, userOf(context, request), request.body));
  });
  routes.use((error: unknown, _request: Request, response: Response, next: NextFunction) => {
    if (error instanceof SyntaxError) response.status(422).json({ errors: [{ message: error.message }] });
    else next(error);
  });
  return routes;
}

/** GitLab says the same of every token that is not good for its API: unknown, expired, revoked or too narrow. */
function userOf(context: ForgeContext, request: Request): UserRecord | undefined {
  const value = tokenOf(request);
  if (value === undefined) return undefined;
  const check = checkAccess(context, value);
  const reads = (scope: string) => scope === "api" || scope === "read_api";
  if (check.kind === "good" && check.scopes.some(reads)) return check.user;
  throw new ApiError(401, { errors: [{ message: "Invalid token" }] });
}

/** Faults of the query are an answer with status 200, as GraphQL has it. */
async function answer(
  context: ForgeContext,
  user: UserRecord | undefined,
  body: unknown,
): Promise<ExecutionResult> {
  const { query, variables, operationName } = (body ?? {}) as Record<string, unknown>;
  try {
    const document = parse(typeof query === "string" ? query : "", { maxTokens });
    const errors = validate(graphQlSchema, document, rules);
    if (errors.length > 0) return { errors };
    const result = await execute({
      schema: graphQlSchema,
      document,
      rootValue: new QueryRoot(context, user),
      variableValues: isRecord(variables) ? variables : {},
      operationName: typeof operationName === "string" ? operationName : null,
    });
    for (const { originalError } of result.errors ?? []) if (originalError) throw originalError; // a fault of ours
    return result;
  } catch (error) {
    if (error instanceof GraphQLError) return { errors: [error] };
    throw error;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
