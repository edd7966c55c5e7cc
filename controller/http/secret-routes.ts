import type { Request, Response } from "express";
import type { Items, SecretView } from "#schemas/api";
import type { Memberships } from "../auth/memberships.ts";
import { callerOf } from "../auth/requires.ts";
import type { Rights } from "../auth/rights.ts";
import type { ForgeProject } from "../forge/forge.ts";
import type { SecretBook, SecretCaller, SecretName } from "../secrets/secret-book.ts";
import type { ApiRoute } from "./api-route.ts";
import { noUser } from "./not-there.ts";
import { badRequest, bodyField, nameIn, oneQuery } from "./read-request.ts";

const maxValueCharacters = 10_000; // what a variable of GitLab can hold
const maxBodyBytes = 64 * 1024; // that many characters as JSON, most of them of several bytes

export interface SecretRouteDeps {
  secrets: SecretBook;
  rights: Rights;
  memberships: Pick<Memberships, "project">;
}

/** Secrets of a user's project: set, replaced, deleted, and listed by name. No route tells a value. */
export function secretRoutes(deps: SecretRouteDeps): ApiRoute[] {
  const base = "/users/{user}/secrets";
  const manage = { action: "manage-secrets", resource: "user" } as const;

  const projectIn = async (request: Request): Promise<{ user: string; project: ForgeProject }> => {
    const user = nameIn(request, "user");
    const project = await deps.memberships.project(deps.rights.projectOf(user));
    if (!project) throw noUser(user);
    return { user, project };
  };
  const asked = async (
    request: Request,
    response: Response,
  ): Promise<{ which: SecretName; caller: SecretCaller }> => {
    const { user, project } = await projectIn(request);
    const { token, user: person } = callerOf(response);
    const name = request.params["name"];
    if (typeof name !== "string" || !/^(?!DT_)[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name)) {
      throw badRequest(
        "the name of a secret has letters, digits and `_`, and does not begin with a digit or DT_",
      );
    }
    const twin = oneQuery(request, "twin");
    if (twin !== undefined && !/^[A-Za-z][A-Za-z0-9_-]{0,38}$/.test(twin)) {
      throw badRequest("twin is no name of a twin");
    }
    return { which: { user, name, twin }, caller: { username: person.username, token, project } };
  };

  return [
    {
      method: "get",
      path: base,
      ...manage,
      handle: async (request, response) => {
        const { user, project } = await projectIn(request);
        const items = await deps.secrets.list(user, project);
        response.json({ items } satisfies Items<SecretView>);
      },
    },
    {
      method: "put",
      path: `${base}/{name}`,
      ...manage,
      body: maxBodyBytes,
      handle: async (request, response) => {
        const value = bodyField(request, "value", /[\s\S]/, "the value, a text that is not empty");
        if ([...value].length > maxValueCharacters || value.includes("\0")) {
          throw badRequest(`the value must have at most ${maxValueCharacters} characters, and no NUL`);
        }
        const { which, caller } = await asked(request, response);
        const mustExist = oneQuery(request, "mustExist") === "true";
        response.json(await deps.secrets.set(which, value, caller, mustExist));
      },
    },
    {
      method: "delete",
      path: `${base}/{name}`,
      ...manage,
      handle: async (request, response) => {
        const { which, caller } = await asked(request, response);
        response.json(await deps.secrets.remove(which, caller));
      },
    },
    {
      method: "get",
      path: "/users/{user}/sealing-key",
      action: "see",
      resource: "user",
      handle: async (request, response) => {
        const { user, project } = await projectIn(request);
        response.json(deps.secrets.sealingKey(user, project));
      },
    },
  ];
}
