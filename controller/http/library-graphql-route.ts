import { recordOf } from "#schemas/plain-data";
import { callerOf } from "../auth/requires.ts";
import { answerGraphql, type GraphqlQuestion } from "../library/answer-graphql.ts";
import type { ApiRoute } from "./api-route.ts";
import type { LibraryRouteDeps } from "./library-read-routes.ts";
import { badRequest } from "./read-request.ts";
import { visibleRepositories } from "./visible-repositories.ts";

/**
 * `listDirectory` and `readFile` for programs that were written for the earlier library service. The same rights as everywhere: what
 * the caller may not see is `null`, as for what is not there.
 */
export function libraryGraphqlRoute(deps: LibraryRouteDeps): ApiRoute {
  const { library, rights } = deps;
  return {
    method: "post",
    path: "/library/graphql",
    action: "see",
    resource: "each",
    handle: async (request, response) => {
      const caller = callerOf(response);
      const { isValid, result } = await answerGraphql(questionIn(request.body), {
        names: async () => {
          const visible = await visibleRepositories(deps, caller);
          return visible.map(({ project }) => project.path.slice(project.path.lastIndexOf("/") + 1));
        },
        open: async (name) => {
          const named = library.repositories.list().find(({ project }) => project.path.endsWith(`/${name}`));
          if (!named || (await rights.decide(caller, "see", named.project.path)) !== "allowed")
            return undefined;
          return (await library.read(named)) ?? "empty";
        },
      });
      const errors = result.errors?.map((error) => error.toJSON());
      response.status(isValid ? 200 : 400).json({ ...(errors ? { errors } : {}), ...withData(result.data) });
    },
  };
}

function withData(data: unknown): { data?: unknown } {
  return data === undefined ? {} : { data };
}

function questionIn(body: unknown): GraphqlQuestion {
  const { query, variables, operationName } = recordOf(body) ?? {};
  if (typeof query !== "string") throw badRequest('the JSON body must have a field "query"');
  const given = variables === undefined || variables === null ? undefined : recordOf(variables);
  if (given === undefined && variables !== undefined && variables !== null) {
    throw badRequest("variables must be an object");
  }
  if (operationName !== undefined && operationName !== null && typeof operationName !== "string") {
    throw badRequest("operationName must be text");
  }
  return {
    query,
    ...(given === undefined ? {} : { variables: given }),
    ...(typeof operationName === "string" ? { operationName } : {}),
  };
}
