/** What is wrong with the includes, in a sentence for whoever wrote them. */
export class IncludeRefused extends Error {
  override readonly name = "IncludeRefused";
}
