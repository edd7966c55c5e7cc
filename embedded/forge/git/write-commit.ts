import { personLine } from "../repository/person-line.ts";
import type { GitPerson } from "./commit.ts";
import type { Git } from "./git.ts";

/** Who, and when: seconds since 1970 and the offset as git writes it. */
export interface Signature {
  name: string;
  email: string;
  seconds: number;
  zone: string;
}

export interface CommitToWrite {
  tree: string;
  parents: readonly string[];
  author: Signature;
  committer: Signature;
  message: string;
}

/** Writes a commit that nothing leads to yet; its id. */
export async function writeCommit(git: Git, gitDir: string, commit: CommitToWrite): Promise<string> {
  const head = [
    `tree ${commit.tree}`,
    ...commit.parents.map((parent) => `parent ${parent}`),
    `author ${signatureLine(commit.author)}`,
    `committer ${signatureLine(commit.committer)}`,
  ];
  const message = commit.message.replaceAll("\0", "").trimEnd();
  const input = `${head.join("\n")}\n\n${message}${message === "" ? "" : "\n"}`;
  const args = ["hash-object", "-t", "commit", "-w", "--stdin"];
  return (await git.text(gitDir, args, { input })).trim();
}

/** The same person at the same time, as it stands in another commit. */
export function signatureOf(person: GitPerson): Signature {
  const zone = person.date.slice(-6).replace(":", "");
  return {
    name: person.name,
    email: person.email,
    seconds: Math.floor(Date.parse(person.date) / 1_000),
    zone: /^[+-]\d{4}$/.test(zone) ? zone : "+0000",
  };
}

function signatureLine({ name, email, seconds, zone }: Signature): string {
  return `${personLine(name, email)} ${Math.max(Number.isNaN(seconds) ? 0 : seconds, 0)} ${zone}`;
}
