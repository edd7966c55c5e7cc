/**
 * Run by git itself before it moves any ref, so it sees the refs and commits exactly. Patterns come in the
 * environment, separated by spaces (a ref name holds none). A refusal refuses the whole push.
 */
export const preReceiveHook = `#!/bin/sh
set -f
refuse() { echo "GitLab: $1" >&2; exit 1; }
listed() { for pattern in $2; do case "$1" in $pattern) return 0 ;; esac; done; return 1; }
exists() { case "$1" in *[!0]*) return 0 ;; esac; return 1; }
while read -r old new ref; do
  listed "$ref" "$DTAAS_NO_PUSH" && refuse "You are not allowed to push code to protected branches on this project."
  listed "$ref" "$DTAAS_NO_FORCE" || continue
  exists "$old" || continue
  exists "$new" || refuse "You can only delete protected branches using the web interface."
  git merge-base --is-ancestor "$old" "$new" ||
    refuse "You are not allowed to force push code to a protected branch on this project."
done
exit 0
`;

/**
 * Run by git after it moved refs: tells the forge, on descriptor 3, which ones and with which push options, and says to
 * whoever pushed what the forge answers there. An option of several lines could pass for another message and is left out.
 * Only what the shell has built in: each program started would make every push slower.
 */
export const postReceiveHook = `#!/bin/sh
newline='
'
i=0
while [ "$i" -lt "\${GIT_PUSH_OPTION_COUNT:-0}" ]; do
  eval "option=\\$GIT_PUSH_OPTION_$i"
  case "$option" in *"$newline"*) ;; *) printf 'option %s\\n' "$option" >&3 ;; esac
  i=$((i + 1))
done
while read -r line; do printf '%s\\n' "$line" >&3; done
printf 'end\\n' >&3
while IFS= read -r line <&3; do printf '%s\\n' "$line"; done
exit 0
`;
