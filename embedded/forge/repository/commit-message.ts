import { badParameter } from "../http/api-error.ts";
import type { Parameters } from "../http/parameters.ts";

const maxLength = 100_000; // characters; it travels in webhooks and lists

/** What a commit made by the forge is to say; `undefined` for what it says by itself. Throws `ApiError` 400. */
export function commitMessageIn(parameters: Parameters, name: string): string | undefined {
  const message = parameters.filled(name);
  if (message !== undefined && message.length > maxLength) {
    throw badParameter(`${name} is too long (maximum is ${maxLength} characters)`);
  }
  return message;
}
