import { ActionNeededError, messageOf, TryLaterError } from "#core/errors";
import { exitCodeOf, exitCodes } from "../exit-codes.ts";
import type { Paint } from "./paint.ts";
import { oneLine } from "./table.ts";

/**
 * Says what is wrong and what mends it, without a stack trace unless somebody debugs, and gives the exit code. With `json` the same as one
 * object on standard output.
 */
export function printError(
  error: unknown,
  to: {
    out: (text: string) => void;
    err: (text: string) => void;
    json: boolean;
    debug: boolean;
    paint: Paint;
  },
): number {
  const told = tell(error);
  if (to.json) {
    const { exitCode, ...rest } = told;
    to.out(`${JSON.stringify({ error: { ...rest, exitCode } }, undefined, 2)}\n`);
    return exitCode;
  }
  to.err(`${to.paint("red", "error:")} ${oneLine(told.message)} ${to.paint("dim", `[${told.code}]`)}\n`);
  if (to.debug && error instanceof Error && error.stack !== undefined) to.err(`${error.stack}\n`);
  if (told.hint !== undefined) to.err(`  ${to.paint("cyan", "hint:")} ${oneLine(told.hint)}\n`);
  return told.exitCode;
}

function tell(error: unknown): {
  code: string;
  message: string;
  hint?: string;
  where?: object;
  exitCode: number;
} {
  if (error instanceof ActionNeededError) {
    const { code, message, hint, where } = error;
    return {
      code,
      message,
      ...(hint === undefined ? {} : { hint }),
      ...(where === undefined ? {} : { where }),
      exitCode: exitCodeOf(code),
    };
  }
  if (error instanceof TryLaterError) {
    const hint = `try again in ${Math.ceil(error.retryAfterMs / 1_000)} s`;
    return { code: "TRY_LATER", message: error.message, hint, exitCode: exitCodes.tryLater };
  }
  return {
    code: "INTERNAL",
    message: messageOf(error),
    hint: "this is a fault of dtaas; DTAAS_DEBUG=1 shows where",
    exitCode: exitCodes.failed,
  };
}
