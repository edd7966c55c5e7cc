const maxPathLength = 255;
// First segments that mean something else in GitLab's own addresses.
const reserved = new Set([
  "-",
  ".well-known",
  "admin",
  "api",
  "assets",
  "dashboard",
  "explore",
  "groups",
  "health_check",
  "help",
  "import",
  "jwt",
  "oauth",
  "profile",
  "projects",
  "public",
  "search",
  "snippets",
  "uploads",
  "users",
  "v2",
]);

/** Why this cannot be a user name or the path of a group or project; `undefined` when it can. */
export function pathProblem(path: string): string | undefined {
  if (path.length > maxPathLength) return `is too long (maximum is ${maxPathLength} characters)`;
  const wellFormed = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/.test(path) && !/(\.|\.git|\.atom)$/i.test(path);
  if (!wellFormed) {
    return "can contain only letters, digits, '_', '-' and '.'. Cannot start with '-' or '.', end in '.', '.git' or '.atom'.";
  }
  return undefined;
}

/** As `pathProblem`, for the first segment of a path, where some words are taken. */
export function rootPathProblem(path: string): string | undefined {
  return pathProblem(path) ?? (reserved.has(path.toLowerCase()) ? `${path} is a reserved name` : undefined);
}
