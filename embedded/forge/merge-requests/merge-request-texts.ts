import { badRequest } from "../http/api-error.ts";

const maxTitle = 255; // characters; GitLab's
const maxDescription = 1_000_000; // characters; GitLab takes some more

/** Throws `ApiError` 400 for a title or description that GitLab would not take either. */
export function checkTexts(texts: { title?: string; description?: string }): void {
  const { title, description } = texts;
  if (title !== undefined && title.trim() === "") throw badRequest({ title: ["can't be blank"] });
  if (title !== undefined && [...title].length > maxTitle) {
    throw badRequest({ title: [`is too long (maximum is ${maxTitle} characters)`] });
  }
  if (description !== undefined && description.length > maxDescription) {
    throw badRequest({ description: [`is too long (maximum is ${maxDescription} characters)`] });
  }
}
