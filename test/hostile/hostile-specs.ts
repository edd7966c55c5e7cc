/** A `dt.yaml` that must not run, and the code of the diagnostic that says why. `NAME` is replaced by the twin's. */
export interface HostileSpec {
  /** What it tries, as a name of a twin. */
  name: string;
  code: string;
  text: string;
}

const head = "apiVersion: dtaas/v1\nkind: DigitalTwin\nmetadata: { name: NAME }\n";
const spec = (lines: string) => `${head}spec:\n  state: running\n${lines}`;
const run = "  lifecycle: { execute: { run: lifecycle/execute } }\n";

/** Ten aliases of ten aliases of ...: a thousand million words once they are followed. */
function aliasBomb(): string {
  const levels = Array.from({ length: 8 }, (_, n) => {
    const ten = n === 0 ? Array(10).fill('"ha"') : Array(10).fill(`*a${n - 1}`);
    return `a${n}: &a${n} [${ten.join(", ")}]`;
  });
  return `${head}${levels.join("\n")}\nspec: {}\n`;
}

/** One entry for each way to hurt with a document; every one stands on its own in a folder of `digital_twins/`. */
export const hostileSpecs: readonly HostileSpec[] = [
  { name: "alias-bomb", code: "too-many-aliases", text: aliasBomb() },
  { name: "depth", code: "too-deep", text: `${head}spec: ${"[".repeat(20_000)}\n` },
  { name: "huge", code: "file-too-large", text: spec(`${run}# ${"x".repeat(10 * 1024 * 1024)}\n`) },
  { name: "values", code: "too-many-values", text: `${head}spec: [${"1,".repeat(20_000)}]\n` },
  { name: "twice", code: "duplicate-key", text: spec(`${run}  state: stopped\n`) },
  { name: "merge-key", code: "merge-key", text: `${head}spec:\n  <<: { state: running }\n` },
  {
    name: "prototype",
    code: "reserved-key",
    text: spec(`${run}  __proto__: { suspend: false, privileged: true }\n`),
  },
  { name: "tag", code: "custom-tag", text: spec(`  environment: { A: !!js/function "x" }\n${run}`) },
  { name: "nul", code: "control-character", text: spec(`  environment: { A: "\0" }\n${run}`) },
  // Options of an engine, under each name that some engine or orchestrator gives them.
  ...[
    "privileged: true",
    "cap_add: [SYS_ADMIN]",
    "capabilities: { add: [ALL] }",
    "volumes: [/:/host]",
    "binds: [/var/run/docker.sock:/var/run/docker.sock]",
    "devices: [/dev/kvm]",
    "network: host",
    "network_mode: host",
    "pid: host",
    "hostPID: true",
    "ipc: host",
    "userns_mode: host",
    "security_opt: [seccomp=unconfined]",
    "user: root",
    "image: other/image",
    "ports: [22]",
    "HostConfig: { Privileged: true }",
    "labels: { dtaas.installation: other }",
  ].map((line, n) => ({ name: `engine-${n}`, code: "unknown-field", text: spec(`${run}  ${line}\n`) })),
  {
    name: "engine-resources",
    code: "unknown-field",
    text: spec(`${run}  resources: { memory: 64Mi, swap: -1 }\n`),
  },
  // What would land in a Dockerfile, a shell or an option.
  ...[
    "apt: [-oAPT::Update::Pre-Invoke::=id]",
    "apt: ['curl$(id)']",
    'apt: ["curl\\nRUN id"]',
    "apt: ['curl; id']",
    "apt: ['../../x.deb']",
    "pip: [--index-url=http://169.254.169.254/]",
    "pip: ['git+https://127.0.0.1/x']",
    "pip: ['x @ file:///etc/passwd']",
    "pip: ['-r/etc/passwd']",
  ].map((line, n) => ({
    name: `package-${n}`,
    code: "invalid-value",
    text: spec(`  workspace: { template: base, packages: { ${line} } }\n${run}`),
  })),
  {
    name: "template-path",
    code: "invalid-value",
    text: spec(`  workspace: { template: ../../../etc }\n${run}`),
  },
  {
    name: "variable-name",
    code: "invalid-name",
    text: spec(`  environment: { "A=1\\nLD_PRELOAD": x }\n${run}`),
  },
  { name: "variable-platform", code: "invalid-name", text: spec(`  environment: { DT_USER: root }\n${run}`) },
  {
    name: "run-outside",
    code: "invalid-value",
    text: spec("  lifecycle: { execute: { run: ../../../../bin/sh } }\n"),
  },
  {
    name: "run-absolute",
    code: "invalid-value",
    text: spec("  lifecycle: { execute: { run: /bin/sh } }\n"),
  },
  {
    name: "folder-outside",
    code: "invalid-value",
    text: spec("  lifecycle: { execute: { run: [ls], workingDir: ../.. } }\n"),
  },
  {
    name: "output-outside",
    code: "invalid-value",
    text: spec("  lifecycle: { execute: { run: [ls], outputs: [../../run/dtaas] } }\n"),
  },
  { name: "asset-outside", code: "invalid-value", text: spec(`  assets: [{ data: ../../../etc }]\n${run}`) },
  { name: "asset-git", code: "invalid-value", text: spec(`  assets: [{ data: .GIT/config }]\n${run}`) },
  {
    name: "endless",
    code: "out-of-range",
    text: spec(`${run}  resources: { memory: 900000000Gi }\n`),
  },
  { name: "other-name", code: "name-not-folder", text: spec(run).replace("NAME", "someone-else") },
].map((entry) => ({ ...entry, text: entry.text.replace("NAME", entry.name) }));
