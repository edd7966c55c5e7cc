import { ActionNeededError, isSystemError, TryLaterError } from "#core/errors";
import type { Problem } from "#schemas/api";

// What is not listed is 422: understood, and it cannot be done until somebody acts.
const statusByCode: Readonly<Record<string, number>> = {
  BAD_REQUEST: 400,
  SIGN_IN_FAILED: 400,
  TOKEN_MISSING: 401,
  TOKEN_REFUSED: 401,
  CI_TOKEN_REFUSED: 401,
  SIGN_IN_OVER: 401,
  DELIVERY_REFUSED: 401,
  NOT_ALLOWED: 403,
  FOREIGN_REQUEST: 403,
  HOST_TOKEN_NEEDED: 403,
  FORGE_FORBIDDEN: 403,
  FORGE_TOKEN_REFUSED: 403,
  NOT_FOUND: 404,
  TWIN_NOT_FOUND: 404,
  RUN_NOT_FOUND: 404,
  PIPELINE_NOT_FOUND: 404,
  JOB_NOT_FOUND: 404,
  PREVIEW_NOT_FOUND: 404,
  OUTPUT_NOT_FOUND: 404,
  DELIVERY_NOT_FOUND: 404,
  PROJECT_NOT_FOUND: 404,
  REVISION_NOT_FOUND: 404,
  FILE_NOT_FOUND: 404,
  REMOTE_NOT_FOUND: 404,
  SECRET_NOT_FOUND: 404,
  WORKSPACE_OWNER_UNKNOWN: 404,
  NOT_ACCEPTABLE: 406,
  BODY_TOO_SLOW: 408,
  TWIN_REFUSED: 409,
  TWIN_SUSPENDED: 409,
  ACCESS_REMOVED: 409,
  TWIN_DERIVED: 409,
  SPEC_BROKEN: 409,
  STATE_NOT_EDITABLE: 409,
  RUN_ENDED: 409,
  JOB_NOT_CHANGEABLE: 409,
  RUN_KEPT_UP: 409,
  TWIN_KEPT_UP: 409,
  LIMIT_REACHED: 409,
  RUN_NOT_REPEATABLE: 409,
  WORKSPACE_NOT_RUNNING: 409,
  WORKSPACE_SPEC_BROKEN: 409,
  FILE_CHANGED: 409,
  BRANCH_MOVED: 409,
  RUN_NOT_ENDED: 409,
  OUTPUTS_NONE: 409,
  FILE_EXISTS: 409,
  ROLLBACK_NOTHING: 409,
  ROLLBACK_UNKNOWN: 409,
  REPOSITORY_EMPTY: 409,
  PRECONDITION_FAILED: 412,
  UPLOAD_TOO_LARGE: 413,
  SECRETS_NOT_SET_UP: 409,
  BODY_TOO_LARGE: 413,
  BODY_KIND_UNKNOWN: 415,
  REQUESTS_TOO_MANY: 429,
  TOO_MANY_FAILURES: 429,
  PIPELINES_UNAVAILABLE: 501,
  FORGE_ANSWER_ODD: 502,
  WEBHOOKS_NOT_CONFIGURED: 503,
  DISK_FULL: 507,
};

const titles: Readonly<Record<number, string>> = {
  400: "The request cannot be read",
  401: "Not signed in",
  403: "Not allowed",
  404: "Not found",
  406: "No such representation",
  408: "Too slow",
  409: "Not possible now",
  412: "Not as you have seen it",
  413: "Too large",
  415: "Unknown kind of body",
  422: "Cannot be done",
  429: "Too many",
  500: "A fault of the platform",
  501: "The Git host cannot do this",
  502: "The Git host answers oddly",
  503: "Try again later",
  507: "The disk is full",
};

// Errors of Express and its body parsers that the sender causes.
const codeByParserType: Readonly<Record<string, string>> = {
  "entity.too.large": "BODY_TOO_LARGE",
  "entity.parse.failed": "BAD_REQUEST",
};

/**
 * RFC 9457 problem details for anything that was thrown. What is neither of our two kinds of error, nor a full disk, nor
 * the sender's fault is ours: the answer names the request id and nothing of the inside.
 */
export function problemOf(error: unknown, requestId: string): Problem {
  if (error instanceof ActionNeededError) {
    return {
      ...problem(error.code, statusByCode[error.code] ?? 422, error.message, requestId),
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      ...(error.where === undefined ? {} : { where: error.where }),
    };
  }
  if (error instanceof TryLaterError) {
    return { ...problem("TRY_LATER", 503, error.message, requestId), retryAfterMs: error.retryAfterMs };
  }
  if (["ENOSPC", "EDQUOT"].some((code) => isSystemError(error, code))) {
    return {
      ...problem("DISK_FULL", 507, "nothing can be kept: the disk is full", requestId),
      hint: "make room on the disk that holds the data folder",
    };
  }
  const parser = parserError(error);
  if (parser) return problem(parser.code, parser.status, parser.detail, requestId);
  return {
    ...problem("INTERNAL", 500, "something went wrong inside the platform", requestId),
    hint: `the controller's log says more; look for ${requestId}`,
  };
}

function problem(code: string, status: number, detail: string, requestId: string): Problem {
  const type = `urn:dtaas:problem:${code.toLowerCase().replaceAll("_", "-")}`;
  return { type, title: titles[status] ?? "Cannot be done", status, detail, code, requestId };
}

function parserError(error: unknown): { code: string; status: number; detail: string } | undefined {
  if (!(error instanceof Error)) return undefined;
  const { status, type } = error as Error & { status?: unknown; type?: unknown };
  if (typeof status !== "number" || status < 400 || status > 499) return undefined;
  const code = (typeof type === "string" ? codeByParserType[type] : undefined) ?? "BAD_REQUEST";
  const detail = code === "BODY_TOO_LARGE" ? "the body is too large" : "the request cannot be read";
  return { code, status: titles[status] ? status : 400, detail };
}
