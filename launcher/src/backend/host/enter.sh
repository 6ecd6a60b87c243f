# Runs a command in the workspace that this file stands beside. Whoever enters it runs this, without the launcher.
# $1 exec|tty  $2 folder to start in  then the command
# Exits with 125 when the workspace does not run.
set -u
own=${0%/*}
mode=$1 folder=$2
shift 2
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH

# The process that holds the workspace, its mark, the first process inside or a dash where there is no inside, and
# whether the network is its own.
holder='' mark='' inside='' network=''
[ ! -r "$own/holder" ] || read -r holder mark inside network <"$own/holder" || :
# Numbers are used again, the mark is not.
if [ -z "$inside" ] ||
  ! tr '\0' '\n' <"/proc/$holder/environ" 2>/dev/null | grep -qx "AGENT_WORKSPACE_HOLDER=$mark"; then
  echo "workspace ${own##*/} does not run; start it: agent-workspace start --backend host ${own##*/}" >&2
  exit 125
fi

# A command without a terminal is given none to type into.
detach='setsid -w'
if [ "$mode" = tty ] && [ -t 0 ]; then
  detach=
fi

# The caller's environment stays outside: what the workspace has is in a file.
# shellcheck disable=SC2016 # the last shell expands it
if [ "$inside" = - ]; then
  cd "$folder" || exit 126
  # shellcheck disable=SC2086 # no word at all for a terminal
  exec $detach env -i "TERM=${TERM:-dumb}" /bin/sh -c '. "$0" && exec "$@"' "$own/environment" "$@"
fi

# A terminal of its own, whose name means something inside, as that of the caller does not.
if [ -z "$detach" ] && [ -x /usr/bin/script ]; then
  line='exec'
  for word in "$@"; do
    word=$(printf '%s.' "$word" | sed "s/'/'\\\\''/g")
    line="$line '${word%.}'"
  done
  set -- /usr/bin/script -qec "$line" /dev/null
fi

network_of=
[ "$network" != own ] || network_of=--net=/proc/$inside/ns/net
# Into the namespaces first, whose owner the holder's is, and then to the user inside, which takes all rights away.
# These programs are named by their places: inside, a search may find what the workspace has put there.
# shellcheck disable=SC2016,SC2086
exec $detach env -i "TERM=${TERM:-dumb}" "$(command -v nsenter)" --user="/proc/$holder/ns/user" \
  --mount="/proc/$inside/ns/mnt" --pid="/proc/$inside/ns/pid" --ipc="/proc/$inside/ns/ipc" \
  --uts="/proc/$inside/ns/uts" $network_of --preserve-credentials -- \
  /usr/bin/nsenter --user=/proc/1/ns/user --preserve-credentials --wd="$folder" -- \
  /usr/bin/setpriv --no-new-privs -- /bin/sh -c '. "$0" && exec "$@"' /etc/agent-workspace/environment "$@"
