import fc from "fast-check";
import { expect, test } from "vitest";
import { execForm, imageReference } from "./dockerfile-quoting.ts";
import { renderWorkspace } from "./render-workspace.ts";
import { listWorkspaceTemplates } from "./workspace-templates.ts";

const baseImageId = `sha256:${"a".repeat(64)}`;
const none = { apt: [], pip: [] };
const instructions = (dockerfile: string) =>
  dockerfile.split("\n").flatMap((line) => /^[A-Z]+(?= )/.exec(line)?.[0] ?? []);

test("a base workspace installs nothing it was not asked for", async () => {
  const { dockerfile } = await renderWorkspace({ template: "base", packages: none }, { baseImageId });
  expect(dockerfile).toMatch(new RegExp(`^FROM ${baseImageId}\n`));
  expect(dockerfile).not.toContain('RUN ["/usr/local/lib/dtaas/apt-packages');
});

test("packages stand in the Dockerfile of a python workspace", async () => {
  const packages = { apt: ["graphviz"], pip: ["numpy==2.1.0", "a[b]>=1,<2"] };
  const { dockerfile, files } = await renderWorkspace({ template: "python", packages }, { baseImageId });
  expect(dockerfile).toContain('RUN ["/usr/local/lib/dtaas/apt-packages", "python3-venv", "graphviz"]\n');
  expect(dockerfile).toContain(
    'RUN ["/usr/local/lib/dtaas/pip-packages", "a[b]\\u003e=1,\\u003c2", "numpy==2.1.0"]\n',
  );
  expect(Object.keys(files).sort()).toEqual(["apt-packages", "init", "pip-packages"]);
});

test("the hash depends on what is built, not on the order or repetition of packages", async () => {
  const hash = async (apt: string[], template = "python", base = baseImageId) =>
    (await renderWorkspace({ template, packages: { apt, pip: [] } }, { baseImageId: base })).hash;
  const one = await hash(["jq", "graphviz"]);
  expect(one).toMatch(/^[a-f0-9]{64}$/);
  expect(await hash(["graphviz", "jq", "jq"])).toBe(one);
  const others = [
    await hash(["jq"]),
    await hash(["jq", "graphviz"], "base"),
    await hash(["jq"], "python", "other:1"),
  ];
  expect(new Set([one, ...others]).size).toBe(4);
});

test("an unknown template is named together with the one that was meant", async () => {
  const wrong = renderWorkspace({ template: "pyton", packages: none }, { baseImageId });
  await expect(wrong).rejects.toMatchObject({ code: "TEMPLATE_UNKNOWN", hint: "did you mean python?" });
  for (const template of ["_build", "../workspace/base", "", "__proto__"]) {
    await expect(renderWorkspace({ template, packages: none }, { baseImageId })).rejects.toMatchObject({
      code: "TEMPLATE_UNKNOWN",
    });
  }
});

test("pip packages need a template that has Python", async () => {
  const wrong = renderWorkspace({ template: "base", packages: { apt: [], pip: ["numpy"] } }, { baseImageId });
  await expect(wrong).rejects.toMatchObject({
    code: "PACKAGES_UNSUPPORTED",
    hint: "use the template python",
  });
});

test("every template says what it is", async () => {
  const all = await listWorkspaceTemplates();
  expect(all.map((template) => template.name)).toEqual(["base", "desktop", "jupyter", "python"]);
  for (const { title, description, installs, session } of all) {
    expect(title && description && installs.length).toBeTruthy();
    expect(session.services.every(({ path }) => path.startsWith("/"))).toBe(true);
  }
});

test("a workspace is the same image with the tools of a session on top, and a twin's has none of them", async () => {
  const base = { template: "base", packages: { apt: ["jq"], pip: [] } };
  const twin = await renderWorkspace(base, { baseImageId });
  const workspace = await renderWorkspace(base, { baseImageId, withSession: true });
  expect(twin.dockerfile).not.toContain("terminado");
  expect(workspace.dockerfile).toContain('"git"');
  expect(workspace.hash).not.toBe(twin.hash);
  const added = workspace.dockerfile.split("\n").filter((line) => !twin.dockerfile.includes(line));
  expect(added).toHaveLength(1);
});

const nasty = fc.oneof(
  fc.string({ unit: "binary" }),
  fc
    .array(
      fc.constantFrom(
        "\\",
        "\n",
        "\r",
        '"',
        "'",
        "$(id)",
        "`id`",
        "$PATH",
        "<<EOF",
        "#",
        "]",
        " ",
        "RUN id",
        "\u2028",
      ),
      { maxLength: 8 },
    )
    .map((parts) => parts.join("")),
);

test("no argument, however hostile, leaves its place", () => {
  fc.assert(
    fc.property(fc.array(nasty), (words) => {
      const form = execForm(words);
      expect(form).toMatch(/^[\x20-\x7e]*$/);
      expect(form).not.toMatch(/[$`<>]/);
      expect(form.endsWith("]")).toBe(true);
      expect(JSON.parse(form)).toEqual(words.map((word) => word));
    }),
  );
});

test("no package, however hostile, adds an instruction to the Dockerfile", async () => {
  const plain = await renderWorkspace(
    { template: "python", packages: { apt: ["a"], pip: ["b"] } },
    { baseImageId },
  );
  await fc.assert(
    fc.asyncProperty(nasty, nasty, async (apt, pip) => {
      const packages = { apt: [apt], pip: [pip] };
      const { dockerfile } = await renderWorkspace({ template: "python", packages }, { baseImageId });
      expect(instructions(dockerfile)).toEqual(instructions(plain.dockerfile));
      expect(dockerfile.split("\n")).toHaveLength(plain.dockerfile.split("\n").length);
    }),
    { numRuns: 50 },
  );
});

test("a base image that is no reference is refused", () => {
  for (const bad of ["", "a b", "x\nRUN id", "-x", "$X", undefined]) {
    expect(() => imageReference(bad)).toThrow("not an image reference");
  }
});
