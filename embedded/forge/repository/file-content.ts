import { badParameter } from "../http/api-error.ts";
import type { Parameters } from "../http/parameters.ts";

/** The bytes of a `content` parameter in its `encoding`; `undefined` where it is absent and may be. */
export function fileContent(parameters: Parameters, required: boolean): Buffer | undefined {
  const text = required ? parameters.required("content") : parameters.text("content");
  const encoding = parameters.choice("encoding", ["text", "base64"]) ?? "text";
  if (text === undefined || encoding === "text") return text === undefined ? undefined : Buffer.from(text);
  if (!/^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(text)) throw badParameter("content is not in base64");
  return Buffer.from(text, "base64");
}
