import { createInterface } from "node:readline";

const redrawMs = 250;
const plainNewsMs = 5_000; // without a terminal a long stage says at most this often what it does
const plainSameMs = 30_000; // and this often that it still does the same
const nameWidth = 11;

/** Where progress is shown; standard output in real life. */
export interface Screen {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/**
 * Progress of stages, one line each with its time. On a terminal the line of the running stage is redrawn in place; elsewhere
 * only whole lines are written.
 */
export class Terminal {
  readonly #screen: Screen;
  #stage: { name: string; text: string; said: string; startedAt: number; saidAt: number } | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(screen: Screen) {
    this.#screen = screen;
  }

  /** A line that stays. */
  say(text: string): void {
    this.#clear();
    this.#screen.write(`${text}\n`);
    this.#draw();
  }

  /** Begins a stage; the returned function gets what it is doing. */
  stage(name: string): (text: string) => void {
    const now = Date.now();
    const stage = { name, text: "", said: "", startedAt: now, saidAt: now };
    this.#stage = stage;
    if (this.#screen.isTTY) {
      this.#timer ??= setInterval(() => this.#draw(), redrawMs);
      this.#timer.unref();
      this.#draw();
    }
    return (text) => {
      if (this.#stage === stage) this.#news(text);
    };
  }

  done(detail: string): void {
    this.#end("ok", detail);
  }

  failed(detail: string): void {
    if (this.#stage !== undefined) this.#end("failed", detail);
  }

  /** Asks at the terminal; anything but yes is no. Nobody is there to be asked when this is no terminal. */
  async ask(question: string): Promise<boolean> {
    this.#clear();
    const reader = createInterface({ input: process.stdin, output: process.stdout });
    try {
      const answer = await new Promise<string>((resolve) => {
        reader.once("close", () => resolve("no")); // the end of input is no consent
        reader.question(`${question} [Y/n] `, resolve);
      });
      return /^(y|yes|)$/i.test(answer.trim());
    } finally {
      reader.close();
    }
  }

  #end(word: string, detail: string): void {
    const stage = this.#stage;
    this.#stage = undefined;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#clear();
    if (stage === undefined) return;
    this.#screen.write(
      `  ${word.padEnd(6)} ${stage.name.padEnd(nameWidth)} ${detail}  ${seconds(stage.startedAt)}\n`,
    );
  }

  #news(text: string): void {
    if (this.#stage === undefined) return;
    this.#stage.text = text;
    const pauseMs = text === this.#stage.said ? plainSameMs : plainNewsMs;
    if (this.#screen.isTTY || Date.now() - this.#stage.saidAt < pauseMs) return;
    this.#stage.saidAt = Date.now();
    this.#stage.said = text;
    this.#screen.write(
      `  ...    ${this.#stage.name.padEnd(nameWidth)} ${text}  ${seconds(this.#stage.startedAt)}\n`,
    );
  }

  #draw(): void {
    if (this.#stage === undefined || !this.#screen.isTTY) return;
    const { name, text, startedAt } = this.#stage;
    const line = `  ...    ${name.padEnd(nameWidth)} ${seconds(startedAt)}  ${text}`;
    const width = Math.max(20, (this.#screen.columns || 80) - 1);
    this.#screen.write(`\r\u001b[K${line.slice(0, width)}`);
  }

  #clear(): void {
    if (this.#screen.isTTY) this.#screen.write("\r\u001b[K");
  }
}

function seconds(sinceMs: number): string {
  return `${((Date.now() - sinceMs) / 1000).toFixed(1)} s`;
}
