/** How GitLab looks for branches and tags: `^a` begins with a, `z$` ends with z, otherwise contains. */
export function matchesSearch(name: string, search: string | undefined): boolean {
  if (search === undefined) return true;
  if (search.startsWith("^")) return name.startsWith(search.slice(1));
  return search.endsWith("$") ? name.endsWith(search.slice(0, -1)) : name.includes(search);
}
