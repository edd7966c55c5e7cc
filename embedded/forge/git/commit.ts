export interface GitPerson {
  name: string;
  email: string;
  /** ISO 8601 with milliseconds and the person's own offset, as GitLab prints it. */
  date: string;
}

export interface GitCommit {
  id: string;
  tree: string;
  parents: string[];
  author: GitPerson;
  committer: GitPerson;
  message: string;
}

/** Parses the content of a commit object. */
export function parseCommit(id: string, content: Uint8Array): GitCommit {
  const text = Buffer.from(content).toString("utf8");
  const split = text.indexOf("\n\n");
  const head = split < 0 ? text : text.slice(0, split);
  const commit: GitCommit = {
    id,
    tree: "",
    parents: [],
    author: { name: "", email: "", date: isoDate(0, "+0000") },
    committer: { name: "", email: "", date: isoDate(0, "+0000") },
    message: split < 0 ? "" : text.slice(split + 2),
  };
  for (const line of head.split("\n")) {
    const space = line.indexOf(" ");
    const value = line.slice(space + 1);
    const key = line.slice(0, space); // "" for the further lines of a signature
    if (key === "tree") commit.tree = value;
    else if (key === "parent") commit.parents.push(value);
    else if (key === "author") commit.author = parsePerson(value);
    else if (key === "committer") commit.committer = parsePerson(value);
  }
  return commit;
}

function parsePerson(line: string): GitPerson {
  const match = /^(.*?) ?<(.*?)> (-?\d+) ([+-]\d{4})$/.exec(line);
  const [, name = line, email = "", seconds = "0", zone = "+0000"] = match ?? [];
  return { name, email, date: isoDate(Number(seconds), zone) };
}

function isoDate(seconds: number, zone: string): string {
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(3, 5));
  const offsetMs = (zone.startsWith("-") ? -minutes : minutes) * 60_000;
  const latestMs = 8.64e15 - Math.abs(offsetMs); // what a Date can hold
  const local = new Date(Math.min(seconds * 1_000, latestMs) + offsetMs);
  return `${local.toISOString().slice(0, -1)}${zone.slice(0, 3)}:${zone.slice(3, 5)}`;
}
