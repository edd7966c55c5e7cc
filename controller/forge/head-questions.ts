import pLimit from "p-limit";
import type { ForgeProject } from "./forge.ts";

const projectsPerQuestion = 50; // hosts answer 100 at most; each costs them some calls to their Git storage
const questionsAtOnce = 4;

/** What a host tells of one default branch: that there is no commit, or which one. */
export interface ToldHead {
  isEmpty: boolean;
  commit: unknown;
}

/** Asks for some projects; by project id, who is not told plainly left out. Rejects when the host tells nothing. */
export type AskForHeads = (projects: readonly ForgeProject[]) => Promise<ReadonlyMap<number, ToldHead>>;

/** Heads of default branches by GraphQL: one question for fifty projects, where REST needs one for each. */
export class HeadQuestions {
  readonly #ask: AskForHeads;
  readonly #pauseAfterFailureMs: number;
  #pausedUntilMs = 0; // by the clock that is never set

  /** A host that refused is not asked again for `pauseAfterFailureMs`. */
  constructor(ask: AskForHeads, pauseAfterFailureMs: number) {
    this.#ask = ask;
    this.#pauseAfterFailureMs = pauseAfterFailureMs;
  }

  /** What the host tells plainly, by project id; see `Forge.heads`. Whatever goes wrong, `Forge.head` is asked instead. */
  async of(projects: readonly ForgeProject[]): Promise<Map<number, string | undefined>> {
    const heads = new Map<number, string | undefined>();
    const limit = pLimit(questionsAtOnce);
    const questions: ForgeProject[][] = [];
    for (let at = 0; at < projects.length; at += projectsPerQuestion) {
      questions.push(projects.slice(at, at + projectsPerQuestion));
    }
    await Promise.all(questions.map((some) => limit(() => this.#put(some, heads))));
    return heads;
  }

  async #put(projects: readonly ForgeProject[], heads: Map<number, string | undefined>): Promise<void> {
    if (performance.now() < this.#pausedUntilMs) return;
    const told = await this.#ask(projects).catch(() => undefined);
    if (told === undefined) this.#pausedUntilMs = performance.now() + this.#pauseAfterFailureMs;
    for (const [id, { isEmpty, commit }] of told ?? []) {
      if (isEmpty) heads.set(id, undefined);
      else if (typeof commit === "string" && /^[0-9a-f]{40}([0-9a-f]{24})?$/.test(commit))
        heads.set(id, commit);
    }
  }
}
