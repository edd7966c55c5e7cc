import { isUtf8 } from "node:buffer";
import { maxDocumentBytes } from "./limits.ts";

/** Why a text is refused before anybody parses it, with the offset of the first offence in what could be read. */
export interface TextProblem {
  code: string;
  offset: number;
  message: string;
  hint: string;
}

// YAML allows tab, line feed and carriage return only; a single surrogate is no character at all.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones to refuse
const forbidden = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]|\p{Surrogate}/u;

/** The text of a document, or why it is none: too large, not UTF-8, or with control characters in it. */
export function decodeText(input: string | Uint8Array): { text: string; problem?: TextProblem } {
  const bytes = typeof input === "string" ? Buffer.byteLength(input) : input.byteLength;
  if (bytes > maxDocumentBytes) {
    return { text: "", problem: tooLarge(bytes) };
  }
  const decoded =
    typeof input === "string" ? input : new TextDecoder("utf-8", { ignoreBOM: true }).decode(input);
  const text = decoded.startsWith("\ufeff") ? decoded.slice(1) : decoded; // a byte order mark is no content
  if (typeof input !== "string" && !isUtf8(input)) {
    const offset = Math.max(0, text.indexOf("\ufffd"));
    const hint = "save the file as UTF-8";
    return { text, problem: { code: "not-utf8", offset, message: "the file is not UTF-8 text", hint } };
  }
  const offset = text.search(forbidden);
  if (offset >= 0) {
    const code = text.charCodeAt(offset).toString(16).padStart(4, "0").toUpperCase();
    const message = `the file contains the control character U+${code}`;
    return { text, problem: { code: "control-character", offset, message, hint: "delete it" } };
  }
  return { text };
}

/** The refusal of a document of more than `maxDocumentBytes`. */
export function tooLarge(bytes: number): TextProblem {
  const message = `the file has ${bytes} bytes; at most ${maxDocumentBytes} are read`;
  const hint = "keep data in files of their own and name them under `assets`";
  return { code: "file-too-large", offset: 0, message, hint };
}
