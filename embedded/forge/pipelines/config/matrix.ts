/** One of the jobs that `parallel` makes of a job. */
export interface Permutation {
  /** As GitLab shows it: `build: [x, 1]`, `test 2/3`. */
  name: string;
  /** As gitlab-ci-local does. */
  listedName: string;
  variables: Record<string, string>;
  index: number | undefined;
  total: number;
}

const maxPermutations = 200; // as in GitLab; more are refused by the schema or by the limit of a pipeline

/** What `parallel: 3` or `parallel: { matrix: [...] }` makes of a job; only the job itself without it. */
export function permutationsOf(name: string, parallel: unknown): Permutation[] {
  if (typeof parallel === "number" && parallel >= 1) {
    const total = Math.min(Math.floor(parallel), maxPermutations);
    return Array.from({ length: total }, (_, at) => ({
      name: `${name} ${at + 1}/${total}`,
      listedName: `${name}: [${at + 1}/${total}]`,
      variables: {},
      index: at + 1,
      total,
    }));
  }
  const matrix = (parallel as { matrix?: unknown } | undefined)?.matrix;
  if (!Array.isArray(matrix)) return [{ name, listedName: name, variables: {}, index: undefined, total: 1 }];
  const all = (matrix as Record<string, unknown>[]).flatMap(products).slice(0, maxPermutations);
  return all.map((variables, at) => {
    const values = Object.values(variables);
    return {
      name: `${name}: [${values.join(", ")}]`,
      listedName: `${name}: [${values.join(",")}]`,
      variables,
      index: at + 1,
      total: all.length,
    };
  });
}

/** `{A: [1, 2], B: x}` -> `{A: 1, B: x}`, `{A: 2, B: x}`. */
function products(entry: Record<string, unknown>): Record<string, string>[] {
  let made: Record<string, string>[] = [{}];
  for (const [key, value] of Object.entries(entry)) {
    const values = Array.isArray(value) ? value : [value];
    made = made
      .flatMap((one) => values.map((each) => ({ ...one, [key]: String(each) })))
      .slice(0, maxPermutations);
  }
  return made;
}

/** Whether a permutation is one that `needs: parallel: matrix` names. */
export function matchesMatrix(variables: Readonly<Record<string, string>>, matrix: unknown): boolean {
  if (!Array.isArray(matrix)) return true;
  return (matrix as Record<string, unknown>[])
    .flatMap(products)
    .some((wanted) => Object.entries(wanted).every(([key, value]) => variables[key] === value));
}
