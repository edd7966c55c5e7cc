import { expect, test } from "vitest";
import { parseCommit } from "./commit.ts";

const id = "1".repeat(40);

function commit(lines: string[]) {
  return parseCommit(id, Buffer.from(lines.join("\n")));
}

test("a commit is read with its parents, people and their own time zones", () => {
  const read = commit([
    `tree ${"2".repeat(40)}`,
    `parent ${"3".repeat(40)}`,
    `parent ${"4".repeat(40)}`,
    "author Ada Lovelace <ada@example.org> 1700000000 +0530",
    "committer Bob <bob@example.org> 1700000000 -0800",
    "",
    "Title",
    "",
    "Body",
    "",
  ]);
  expect(read).toEqual({
    id,
    tree: "2".repeat(40),
    parents: ["3".repeat(40), "4".repeat(40)],
    author: { name: "Ada Lovelace", email: "ada@example.org", date: "2023-11-15T03:43:20.000+05:30" },
    committer: { name: "Bob", email: "bob@example.org", date: "2023-11-14T14:13:20.000-08:00" },
    message: "Title\n\nBody\n",
  });
});

test("a signature in the head is not taken for a person or the message", () => {
  const read = commit([
    `tree ${"2".repeat(40)}`,
    "author A <a@b> 1 +0000",
    "committer A <a@b> 1 +0000",
    "gpgsig -----BEGIN PGP SIGNATURE-----",
    " author Mallory <m@x> 2 +0000",
    " -----END PGP SIGNATURE-----",
    "",
    "Signed",
  ]);
  expect([read.author.name, read.message]).toEqual(["A", "Signed"]);
});

test("odd people and times do not stop the reader", () => {
  const read = commit(["author  <> 99999999999999999 +0000", "committer nonsense", ""]);
  expect(read.author).toMatchObject({ name: "", email: "" });
  expect(read.committer.name).toBe("nonsense");
});
