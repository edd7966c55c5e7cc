/** A line that changes in place on a terminal, and elsewhere one line for each new text. */
export interface Progress {
  say(text: string): void;
  end(): void;
}

export function progress(io: { err: (text: string) => void; isTerminal: boolean }): Progress {
  let last = "";
  return {
    say: (text) => {
      if (text === last) return;
      last = text;
      io.err(io.isTerminal ? `\r\u001b[K${text}` : `${text}\n`);
    },
    end: () => {
      if (io.isTerminal && last !== "") io.err("\r\u001b[K");
    },
  };
}
