// Who may import whom: the table of docs/architecture.md. Test files may use what they need to drive the real thing;
// the borders between the controller and the runner hold for them as well.

const testFile = "(\\.test\\.ts|\\.integration\\.test\\.ts|-contract\\.ts|/testing/[^/]+\\.ts)$";
const folders = "core|schemas|planning|templates|controller|runner|embedded|cli|test|bench|examples";

/** `folder` may import itself and `allowed`, nothing else of ours. */
const mayImport = (folder, ...allowed) => ({
  name: `${folder}-imports`,
  comment: `${folder} may import ${allowed.length > 0 ? allowed.join(", ") : "nothing of ours"}`,
  severity: "error",
  from: { path: `^${folder}/`, pathNot: testFile },
  to: { path: `^(${folders})/`, pathNot: `^(${[folder, ...allowed].join("|")})/` },
});

/** A library has one home. */
const livesIn = (library, homes) => ({
  name: `home-of-${library.replace(/\W+/g, "-").replace(/^-|-$/g, "")}`,
  comment: `${library} is used in ${homes} only`,
  severity: "error",
  from: { path: `^(${folders})/`, pathNot: [`^(${homes})/`, testFile, "^(test|bench)/"] },
  to: { path: `^node_modules/${library}` },
});

module.exports = {
  forbidden: [
    mayImport("core"),
    mayImport("schemas", "core"),
    mayImport("planning", "core", "schemas"),
    mayImport("templates", "core", "schemas"),
    mayImport("controller", "core", "schemas", "planning", "templates"),
    mayImport("runner", "core", "schemas", "planning", "templates"),
    mayImport("embedded", "core", "schemas"),
    mayImport("cli", "core", "schemas", "planning", "templates", "controller", "runner", "embedded"),
    {
      name: "embedded-takes-types-of-schemas",
      comment: "embedded may know the shapes of schemas, not run its code",
      severity: "error",
      from: { path: "^embedded/", pathNot: testFile },
      to: { path: "^schemas/", dependencyTypesNot: ["type-only"] },
    },
    {
      name: "controller-never-runner",
      comment: "Git tokens never enter the runner, the engine never the controller; tests included",
      severity: "error",
      from: { path: "^controller/" },
      to: { path: "^runner/" },
    },
    {
      name: "runner-never-controller",
      comment: "Git tokens never enter the runner, the engine never the controller; tests included",
      severity: "error",
      from: { path: "^runner/" },
      to: { path: "^controller/" },
    },
    {
      name: "adapters-are-named-in-main",
      comment: "only main.ts files and cli/ name concrete adapters; everybody else gets the port",
      severity: "error",
      from: {
        path: `^(${folders})/`,
        pathNot: [
          "^(controller|runner)/main\\.ts$",
          "^(cli|test|bench)/",
          "^controller/forge/",
          "^runner/engine/",
          testFile,
        ],
      },
      to: { path: "^(controller/forge/(gitlab|github)|runner/engine/(docker|swarm|process|fake))/" },
    },
    livesIn("express/", "controller/http|controller/auth|embedded"),
    livesIn("@gitbeaker/", "controller/forge/gitlab"),
    livesIn("@octokit/", "controller/forge/github"),
    livesIn("dockerode/", "runner/engine"),
    livesIn("bullmq/", "(core|controller|runner)/queue"),
    livesIn("(ajv|ajv-formats)/", "schemas"),
    livesIn("yaml/", "schemas|embedded/forge/pipelines/config"),
    livesIn("handlebars/", "templates"),
    livesIn("graphql/", "embedded/forge|controller/library"),
    livesIn("minisearch/", "controller/library"),
    livesIn("yazl/", "controller/library|embedded/forge/jobs"),
    livesIn("csv-parse/", "controller/previews/compare"),
    livesIn("age-encryption/", "core"),
    livesIn("oidc-provider/", "embedded/forge/(oidc|pages)"),
    livesIn("markdown-it/", "embedded/forge/pages"),
    livesIn("express-openid-connect/", "controller/auth"),
    {
      name: "no-cycles",
      comment: "a cycle of imports (types do not count) hides who is below whom",
      severity: "error",
      from: { path: `^(${folders})/` },
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    {
      name: "found",
      comment: "an import that leads nowhere",
      severity: "error",
      from: { path: `^(${folders})/` },
      to: { couldNotResolve: true },
    },
    {
      name: "no-development-libraries",
      comment: "what runs in production uses dependencies only",
      severity: "error",
      from: { path: `^(${folders})/`, pathNot: [testFile, "^(test|bench)/"] },
      to: {
        dependencyTypes: ["npm-dev"],
        dependencyTypesNot: ["type-only"],
        pathNot: "^node_modules/@types/",
      },
    },
    {
      name: "tests-stay-outside",
      comment: "nothing but tests imports tests and benchmarks",
      severity: "error",
      from: { path: `^(${folders})/`, pathNot: [testFile, "^(test|bench)/"] },
      to: { path: ["^(test|bench)/", "\\.test\\.ts$"] },
    },
    {
      name: "no-build-output",
      comment: "sources import sources",
      severity: "error",
      from: { path: `^(${folders})/` },
      to: { path: "^dist/" },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^(dist|examples|templates/workspace)/" },
    enhancedResolveOptions: {
      conditionNames: ["dtaas-source", "import", "node", "default", "types"],
      exportsFields: ["exports"],
      extensions: [".ts", ".js", ".mjs", ".cjs", ".json", ".d.ts"],
    },
  },
};
