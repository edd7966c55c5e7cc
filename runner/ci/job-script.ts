/** Where a job's own files lie inside: scripts, its environment. */
export const ciFolder = ".dtaas";
export const projectFolder = (project: string) => `/builds/${project}`;

const afterScriptS = 300; // as in GitLab
const killAfterS = 10; // a script that does not end by TERM
const shownChars = 2_000; // of a command in the log

export interface JobScripts {
  project: string;
  script: readonly string[];
  afterScript: readonly string[];
  /** All variables; of those in `files` the value is the file's path. */
  variables: Readonly<Record<string, string>>;
}

/**
 * The files that run a job, by name: `job` is what the container starts. It runs `script`, passes a wish to end on to it, then runs
 * `after_script`, and ends with the script's exit code.
 */
export function jobScripts({ project, script, afterScript, variables }: JobScripts): Record<string, string> {
  return {
    job: driver(project, afterScript.length > 0),
    environment: Object.entries(variables)
      .map(([key, value]) => `export ${key}=${quoted(value)}\n`)
      .join(""),
    script: commands(script),
    after_script: commands(afterScript),
  };
}

/** For bash where there is one; any POSIX shell will do. */
function driver(project: string, hasAfter: boolean): string {
  const here = `/builds/${ciFolder}`;
  return `if [ -z "\${BASH_VERSION:-}" ] && command -v bash > /dev/null 2>&1; then exec bash "$0"; fi
set -m 2> /dev/null || true
. ${here}/environment
cd ${quoted(projectFolder(project))} || exit 1
shell=sh
command -v bash > /dev/null 2>&1 && shell=bash
child=
canceled=
end() {
  canceled=1
  [ -n "$child" ] || return 0
  kill -TERM -- "-$child" 2> /dev/null || kill -TERM "$child" 2> /dev/null
  (sleep ${killAfterS}; kill -KILL -- "-$child" 2> /dev/null || kill -KILL "$child" 2> /dev/null) &
}
trap end TERM INT
"$shell" ${here}/script < /dev/null &
child=$!
status=0
while :; do
  wait "$child"
  status=$?
  kill -0 "$child" 2> /dev/null || break
done
child=
${hasAfter ? after(here) : ""}exit "$status"
`;
}

function after(here: string): string {
  return `export CI_JOB_STATUS=success
[ "$status" = 0 ] || CI_JOB_STATUS=failed
[ -z "$canceled" ] || CI_JOB_STATUS=canceled
printf '\\033[0K\\033[36;1mRunning after_script\\033[0;m\\n'
limit=
command -v timeout > /dev/null 2>&1 && limit='timeout --signal=TERM --kill-after=10 ${afterScriptS}'
$limit "$shell" ${here}/after_script < /dev/null
code=$?
[ "$code" = 0 ] || printf '\\033[0;33mWARNING: after_script failed, but job will continue unaffected: exit code %s\\033[0;m\\n' "$code"
`;
}

/** Each command is shown, then run; the first that fails ends the script, also within a pipe. */
function commands(lines: readonly string[]): string {
  const body = lines.map(
    (line) => `printf '%s\\n' ${quoted(`\u001b[32;1m$ ${shown(line)}\u001b[0;m`)}\n${line}\n`,
  );
  return `set -e\nif (set -o pipefail) 2> /dev/null; then set -o pipefail; fi\n${body.join("")}`;
}

function shown(command: string): string {
  const [first = "", ...rest] = command.trimEnd().split("\n");
  const line = first.slice(0, shownChars);
  return rest.length > 0 ? `${line} # collapsed multi-line command` : line;
}

/** As one word of a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
