import { StringDecoder } from "node:string_decoder";

const maxLineChars = 16 * 1024; // longer lines (progress bars) come in parts
const keptLines = 20; // of the end, for the message of a failure

/** Turns the engine's JSON stream of a build into lines of text. Memory stays bounded whatever a build prints. */
export class BuildOutput {
  /** What the engine said when the build failed. */
  failure: string | undefined;
  readonly lastLines: string[] = [];
  readonly #onLine: (line: string) => void;
  readonly #decoder = new StringDecoder("utf8");
  #json = "";
  #text = "";

  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  write(chunk: Buffer): void {
    this.#json += this.#decoder.write(chunk);
    const parts = this.#json.split("\n");
    this.#json = parts.pop() ?? "";
    for (const part of parts) this.#message(part);
    if (this.#json.length > 64 * maxLineChars) this.#json = ""; // not what an engine says
  }

  end(): void {
    this.#message(this.#json);
    if (this.#text !== "") this.#line(this.#text);
    this.#text = "";
  }

  #message(json: string): void {
    if (json.trim() === "") return;
    let message: { stream?: unknown; error?: unknown };
    try {
      message = JSON.parse(json) as typeof message;
    } catch {
      return;
    }
    if (typeof message.error === "string") this.failure = message.error.trim();
    if (typeof message.stream !== "string") return;
    const lines = (this.#text + message.stream).split(/\r?\n|\r/);
    this.#text = lines.pop() ?? "";
    for (const line of lines) this.#line(line);
    if (this.#text.length > maxLineChars) {
      this.#line(this.#text);
      this.#text = "";
    }
  }

  #line(text: string): void {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: colours of tools mean nothing in a log file
    const plain = text.replace(/\u001b\[[0-9;]*[A-Za-z]/g, "").trimEnd();
    if (plain === "") return;
    for (let offset = 0; offset < plain.length; offset += maxLineChars) {
      const part = plain.slice(offset, offset + maxLineChars);
      this.lastLines.push(part.slice(0, 500));
      if (this.lastLines.length > keptLines) this.lastLines.shift();
      this.#onLine(part);
    }
  }
}
