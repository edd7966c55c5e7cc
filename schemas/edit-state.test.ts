import { expect, test } from "vitest";
import { editState } from "./edit-state.ts";

const file = "digital_twins/tank/dt.yaml";
const head = "apiVersion: dtaas/v1\nkind: DigitalTwin\nmetadata: { name: tank }\n";

test("only the word changes; comments, order, quotes and blank lines stay", () => {
  const text = `# top\n${head}\nspec:\n  # why it runs\n  state:   "running"   # keep it up\n  environment: { A: '1' } # a\n\n`;
  expect(editState(text, "stopped", file)).toBe(text.replace('"running"', "stopped"));
});

test("a state that is set already changes nothing", () => {
  const text = `${head}spec: { state: stopped }\n`;
  expect(editState(text, "stopped", file)).toBe(text);
});

test.each([
  [
    "a block",
    "spec:\n    # first\n    suspend: false\n",
    "spec:\n    # first\n    state: running\n    suspend: false\n",
  ],
  ["a flow map", "spec: {suspend: false}\n", "spec: { state: running,suspend: false}\n"],
  ["an empty flow map", "spec: {}\n", "spec: { state: running }\n"],
  ["an empty spec", "spec: # nothing yet\n", "spec: # nothing yet\n  state: running\n"],
  ["an empty spec without a line end", "spec:", "spec:\n  state: running"],
  ["an empty state", "spec:\n  state:\n  suspend: false\n", "spec:\n  state: running\n  suspend: false\n"],
])("a missing state is added to %s", (_where, before, after) => {
  expect(editState(head + before, "running", file)).toBe(head + after);
});

test("Windows line ends stay Windows line ends", () => {
  const text = `${head}spec:\n  suspend: false\n`.replaceAll("\n", "\r\n");
  const edited = editState(text, "running", file);
  expect(edited).toBe(text.replace("  suspend", "  state: running\r\n  suspend"));
});

test("a file that cannot be read is refused with its place", () => {
  expect(() => editState(`${head}spec: [\n`, "running", file)).toThrow(
    expect.objectContaining({ code: "SPEC_BROKEN", where: expect.objectContaining({ file, line: 5 }) }),
  );
});

test("an anchor on the state that is used elsewhere is not changed behind the user's back", () => {
  const text = `${head}spec:\n  state: &s running\n  environment: { A: *s }\n`;
  expect(() => editState(text, "stopped", file)).toThrow(
    expect.objectContaining({ code: "STATE_NOT_EDITABLE" }),
  );
});

test("an alias as state, or a spec that is a list, is left to the user", () => {
  const aliased = `${head}spec:\n  environment: { A: &s running }\n  state: *s\n`;
  for (const text of [aliased, `${head}spec: [a]\n`]) {
    expect(() => editState(text, "stopped", file)).toThrow(
      expect.objectContaining({ code: "STATE_NOT_EDITABLE" }),
    );
  }
});
