/** An answer other than success, in GitLab's shape. `body` is sent as it is. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  readonly body: Readonly<Record<string, unknown>>;

  constructor(status: number, body: Readonly<Record<string, unknown>>) {
    super(`${status} ${JSON.stringify(body)}`);
    this.status = status;
    this.body = body;
  }
}

/** `{"message": "404 Project Not Found"}` for `notFound("Project")`. */
export function notFound(what?: string): ApiError {
  return new ApiError(404, { message: what ? `404 ${what} Not Found` : "404 Not found" });
}

export function forbidden(reason?: string): ApiError {
  return new ApiError(403, { message: reason ? `403 Forbidden - ${reason}` : "403 Forbidden" });
}

export function unauthorized(): ApiError {
  return new ApiError(401, { message: "401 Unauthorized" });
}

/** A request whose parameters are fine one by one but cannot be carried out. */
export function badRequest(message: unknown): ApiError {
  return new ApiError(400, { message });
}

/** A parameter that is missing or malformed, such as `ref is missing`. */
export function badParameter(error: string): ApiError {
  return new ApiError(400, { error });
}

/** What GitLab can do and this forge cannot. */
export function notImplemented(what: string): ApiError {
  return new ApiError(501, {
    message: `501 Not Implemented: ${what} is not part of the embedded forge; connect a GitLab for it`,
  });
}
