import { GitbeakerRequestError } from "@gitbeaker/rest";

/** Status and text of a call that the forge refuses; fails when it does not. For tests only. */
export async function rejection(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    if (!(error instanceof GitbeakerRequestError)) throw error;
    return `${error.cause?.response.status} ${error.message}`;
  }
  throw new Error("the call was not refused");
}
