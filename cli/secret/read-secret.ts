import type { ReadStream } from "node:tty";
import { ActionNeededError } from "#core/errors";

type Input = NodeJS.ReadableStream & Partial<Pick<ReadStream, "isTTY" | "setRawMode">>;

/**
 * A secret from standard input: what is piped in, whole and as it is; at a terminal one line, typed unseen. Never from
 * an argument: those stand in the process list and in the history of the shell.
 */
export async function readSecret(
  input: Input,
  output: NodeJS.WritableStream,
  { question, maxBytes }: { question: string; maxBytes: number },
): Promise<Buffer> {
  const value = input.isTTY ? await typed(input, output, question) : await piped(input, maxBytes);
  if (value.length > maxBytes) throw tooLong(maxBytes);
  if (value.length === 0) {
    throw new ActionNeededError("USAGE", "the value is empty", {
      hint: "type it, or pipe it in: dtaas secret set NAME < file",
    });
  }
  return value;
}

async function piped(input: Input, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of input) {
    chunks.push(Buffer.from(chunk));
    bytes += chunks.at(-1)?.length ?? 0;
    if (bytes > maxBytes + 1) throw tooLong(maxBytes);
  }
  const value = Buffer.concat(chunks);
  // `echo` and editors end a line; a value of one line is meant without it.
  const isOneLine = value.indexOf(0x0a) === value.length - 1 && value.length > 0;
  return isOneLine ? value.subarray(0, value.at(-2) === 0x0d ? -2 : -1) : value;
}

async function typed(input: Input, output: NodeJS.WritableStream, question: string): Promise<Buffer> {
  output.write(`${question}: `);
  input.setRawMode?.(true);
  let value = "";
  try {
    for await (const chunk of input) {
      for (const character of String(chunk)) {
        if (character === "\r" || character === "\n") return Buffer.from(value);
        if (character === "\u0003" || character === "\u0004") {
          throw new ActionNeededError("USAGE", "no value was typed");
        }
        if (character === "\u007f" || character === "\b") value = [...value].slice(0, -1).join("");
        else value += character;
      }
    }
    return Buffer.from(value);
  } finally {
    input.setRawMode?.(false);
    output.write("\n");
  }
}

function tooLong(maxBytes: number): ActionNeededError {
  return new ActionNeededError("USAGE", `the value has more than ${maxBytes} bytes`);
}
