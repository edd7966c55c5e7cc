/** How a request ends for somebody: it is done, refused (403), or answered as if nothing were there (404). */
export type Answer = "yes" | "no" | "hidden";

export interface RightsRow {
  /** `METHOD /path`, below /api/v1. */
  route: string;
  says: string;
  /** Roles are those in the user's project; the administrator is a maintainer of the platform project. */
  stranger: Answer;
  reporter: Answer;
  developer: Answer;
  maintainer: Answer;
  administrator: Answer;
}

const everybody = answers("yes", "yes", "yes", "yes");
const members = answers("hidden", "yes", "yes", "yes");
const developers = answers("hidden", "no", "yes", "yes");
const maintainers = answers("hidden", "no", "no", "yes");
const administrators = answers("no", "no", "no", "no");
const library = "/library/{repository}";
// Nobody but the user whose workspace it is, whatever their role.
const owners = answers("hidden", "no", "no", "no");
const run = "/twins/{user}/{twin}/runs/{id}";
const pipeline = "/users/{user}/pipelines/{id}";
const job = "/users/{user}/jobs/{id}";

/**
 * Who may do what, written down independently of the code that decides: a test walks every route with every role
 * against it, and docs/rights.md is made from it.
 */
export const rightsTable: readonly RightsRow[] = [
  { route: "GET /me", says: "who the token belongs to", ...everybody },
  { route: "GET /twins", says: "list twins; only those that may be seen are listed", ...everybody },
  { route: "GET /events", says: "phase changes; only of twins that may be seen", ...everybody },
  { route: "GET /deliveries", says: "list deliveries; only of projects that may be seen", ...everybody },
  { route: "GET /deliveries/{id}", says: "one delivery of the project", ...members },
  { route: "GET /twins/{user}/{twin}", says: "one twin", ...members },
  { route: "GET /users/{user}/plan", says: "what would be done now", ...members },
  { route: "GET /users/{user}/assets", says: "what the user sees of shared assets", ...members },
  { route: "GET /twins/{user}/{twin}/runs", says: "history", ...members },
  { route: `GET ${run}`, says: "one run", ...members },
  { route: `GET ${run}/log`, says: "its log", ...members },
  { route: `GET ${run}/outputs`, says: "list what it kept", ...members },
  { route: `GET ${run}/outputs/{path}`, says: "one kept file", ...members },
  { route: "POST /twins/{user}/{twin}/runs", says: "run an operation", ...developers },
  { route: `POST ${run}/rerun`, says: "do a former run again", ...developers },
  { route: `DELETE ${run}`, says: "cancel a run", ...developers },
  {
    route: "PUT /twins/{user}/{twin}/state",
    says: "start or stop: a commit with the caller's own token, so the Git host decides, too",
    ...developers,
  },
  {
    route: "POST /twins/{user}/{twin}/rollback",
    says: "make a twin as it was: a commit or merge request with the caller's own token, likewise",
    ...developers,
  },
  {
    route: `POST ${run}/save`,
    says: "commit what it kept, with the caller's own token, so the Git host decides, too",
    ...developers,
  },
  { route: "GET /library", says: "list repositories; only those that may be seen", ...everybody },
  {
    route: "GET /library/search",
    says: "search assets; only of repositories that may be seen",
    ...everybody,
  },
  { route: `GET ${library}/assets`, says: "list the assets of a repository", ...members },
  { route: `GET ${library}/folder`, says: "list one folder", ...members },
  { route: `GET ${library}/files/{path}`, says: "one file", ...members },
  { route: `GET ${library}/archive`, says: "a folder as an archive", ...members },
  { route: `PUT ${library}/files/{path}`, says: "write a file, with the caller's own token", ...developers },
  { route: `DELETE ${library}/files/{path}`, says: "delete a file or folder, likewise", ...developers },
  { route: `POST ${library}/changes`, says: "change files in one commit, likewise", ...developers },
  { route: `POST ${library}/upload`, says: "upload files in one commit, likewise", ...developers },
  {
    route: "POST /library/graphql",
    says: "read folders and files; what may not be seen is null",
    ...everybody,
  },
  { route: "GET /users/{user}/previews", says: "previews of merge requests", ...members },
  { route: "GET /users/{user}/previews/{id}", says: "those of one merge request", ...members },
  {
    route: "GET /users/{user}/previews/{id}/{twin}/runs/{run}/log",
    says: "the log of one of their runs",
    ...members,
  },
  { route: "GET /users/{user}/remotes", says: "repositories on other hosts", ...members },
  { route: "POST /users/{user}/remotes/{remote}/sync", says: "pull from or push to one", ...developers },
  { route: "GET /users/{user}/pipelines", says: "list pipelines, with the caller's own token", ...members },
  { route: "POST /users/{user}/pipelines", says: "start one, likewise", ...developers },
  { route: `GET ${pipeline}`, says: "one pipeline, likewise", ...members },
  { route: `GET ${pipeline}/events`, says: "its changes; asked again for each", ...members },
  { route: `POST ${pipeline}/cancel`, says: "cancel it, with the caller's own token", ...developers },
  { route: `POST ${pipeline}/retry`, says: "run again what has failed, likewise", ...developers },
  { route: `GET ${job}/log`, says: "what a job has printed; asked again for each line", ...members },
  { route: `POST ${job}/play`, says: "start a job that waits, with the caller's own token", ...developers },
  { route: `POST ${job}/cancel`, says: "cancel a job, likewise", ...developers },
  { route: `POST ${job}/retry`, says: "run a job again, likewise", ...developers },
  { route: "GET /users/{user}/sealing-key", says: "what to seal secrets to", ...members },
  { route: "GET /users/{user}/secrets", says: "list secrets, never values", ...maintainers },
  {
    route: "PUT /users/{user}/secrets/{name}",
    says: "set a secret with the caller's own token, so the Git host decides, too",
    ...maintainers,
  },
  { route: "DELETE /users/{user}/secrets/{name}", says: "delete a secret, likewise", ...maintainers },
  { route: "GET /workspaces", says: "list workspaces; only one's own", ...everybody },
  { route: "GET /workspaces/{user}", says: "one workspace", ...owners },
  { route: "PUT /workspaces/{user}/state", says: "start or stop it, or cancel a start", ...owners },
  { route: "POST /workspaces/{user}/restart", says: "begin a new session", ...owners },
  { route: "POST /workspaces/{user}/rebuild", says: "the same with an image made anew", ...owners },
  { route: "POST /workspaces/{user}/keep-alive", says: "begin its idle time anew", ...owners },
  { route: "POST /workspaces/{user}/open", says: "get an address that lets one in", ...owners },
  { route: "GET /workspaces/{user}/services", says: "list its tools", ...owners },
  { route: "GET /workspaces/{user}/log", says: "what its tools, or its build, have printed", ...owners },
  { route: "GET /status", says: "state of the platform", ...administrators },
];

function answers(stranger: Answer, reporter: Answer, developer: Answer, maintainer: Answer) {
  return { stranger, reporter, developer, maintainer, administrator: "yes" as const };
}

/** docs/rights.md. */
export function rightsDocument(): string {
  const word = { yes: "yes", no: "no (403)", hidden: "not there (404)" };
  const rows = rightsTable.map(
    (row) =>
      `| \`${row.route}\` | ${row.says} | ${word[row.stranger]} | ${word[row.reporter]} | ${word[row.developer]} | ${word[row.maintainer]} | ${word[row.administrator]} |`,
  );
  return `# Who may do what

The platform keeps no accounts and no passwords. Who you are is your personal access token of the Git host, or your sign-in there; what you
may do is your role in a project there, inherited roles included.

- Send the token as \`Authorization: Bearer <token>\` or \`PRIVATE-TOKEN: <token>\`. Without one, or with one that the Git
  host does not know, the answer is 401.
- With a browser sign in at \`/auth/login\`, where the platform is set up for it: at the Git host, which gives the platform a token of yours. It has
  the rights that any token of yours has; there is no other list of who may do what. The token stays with the platform, the
  browser has a cookie. What changes something then also needs the header \`X-DTaaS-Request: 1\` and a page of the platform's own origin;
  otherwise it is 403 (\`FOREIGN_REQUEST\`). A request that carries a token is judged by the token alone.
- \`/auth/logout\` ends the sign-in here and at the Git host, and takes the token back. It ends by itself after a day without use, and after a
  week. Signing out of the embedded forge, or being blocked there, ends it here within 60 seconds (401, \`SIGN_IN_OVER\`).
- Where people sign in at another provider than the Git host, a claim says who they are there. Then what is committed in somebody's name, or
  set with their own token, is 403 (\`HOST_TOKEN_NEEDED\`): send a token of the Git host for it.
- The project of a user is \`<group>/<user>\`. A *stranger* is no member of it, or a guest.
- For \`/library/{repository}\` the role in that project counts, a shared one included. Members of the groups that
  \`platform.yaml\` names for a shared one see it as well.
- An *administrator* is a maintainer or owner of \`<group>/platform\`.
- A *shared-asset repository* is seen by the twins of those who may: members of its project with the role Reporter or more, and
  members of the groups that platform.yaml names with it, guests too. Taken away, it is out of reach of running twins within 60
  seconds; granted, it is seen from their next start on. Whoever may push to \`<group>/<user>\` runs code that reads what \`<user>\` may read.
- People of a [further Git host](github.md#shared-assets-on-a-further-host) are nobody here, whatever their names are; who reads a shared repository there is
  said by \`groups\`. On GitHub roles count as levels as [its page](github.md#what-is-what) says.
- A workspace is its user's own: *Developer* and *Maintainer* below are other people. The user needs the role of a developer
  in the project; to push from inside, that of a maintainer.
- A *job of a pipeline* asks with its ID token, in the name of its user, and only in the project it runs in. It sees and runs operations as
  far as that user may, on a ref that is not protected at most as a developer. It never administers, commits, starts pipelines, keeps
  secrets or enters a workspace: those are 403.
- What you may not see is answered as if it were not there (404). What you see and may not do is 403.
- A token that was revoked is refused after at most 60 seconds; a role that was taken away ends after at most 30.
- After 20 refused tokens from one address in a minute, further unknown tokens get 429. Tokens that are good go on.
- \`/healthz\`, \`/readyz\`, \`/metrics\` and \`/api/v1/openapi.json\` need no token. They name no user and no twin. The
  server listens on the loopback address unless it is told otherwise.

Paths are below \`/api/v1\`. This table is made from \`controller/auth/rights-table.ts\`; a test walks every route with every
role against it.

| Route | What | Stranger | Reporter | Developer | Maintainer | Administrator |
|---|---|---|---|---|---|---|
${rows.join("\n")}
`;
}
