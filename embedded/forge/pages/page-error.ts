/** What somebody is shown instead of the page they have asked for. */
export class PageError extends Error {
  override readonly name = "PageError";
  readonly status: number;
  /** What they can do about it. */
  readonly hint: string;

  constructor(status: number, message: string, hint: string) {
    super(message);
    this.status = status;
    this.hint = hint;
  }
}
