import type { ApiClient } from "./api-client.ts";

/** The values of an NDJSON answer, one by one. */
export async function* readLines<T>(api: ApiClient, path: string): AsyncGenerator<T> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of api.read(path, "application/x-ndjson")) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line !== "") yield JSON.parse(line) as T;
  }
}
