import { styleText } from "node:util";
import type { Phase } from "#schemas/observed-state";

type Colour = "red" | "green" | "yellow" | "cyan" | "bold" | "dim";

/** Colours, where the terminal shows them. */
export type Paint = (colour: Colour, text: string) => string;

export function painter(colours: boolean): Paint {
  return (colour, text) => (colours ? styleText(colour, text) : text);
}

const good: readonly string[] = ["live", "completed", "ready", "succeeded"];
const bad: readonly string[] = ["failed", "refused", "timed-out", "lost"];

/** Green for what is well, red for what is not, yellow for what is on its way. */
export function colourOf(word: Phase | string): Colour {
  if (good.includes(word)) return "green";
  return bad.includes(word) ? "red" : "yellow";
}
