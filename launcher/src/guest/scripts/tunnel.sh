# The VS Code tunnel of a workspace: one process, found by what runs and not by what a file says.
# $1 look|start|foreground|stop  $2 name  $3 log
# Prints name=, before=yes|no and the log's end as `log ` lines. Exits with 80 without the CLI, 81 when it died.
set -u
mode=$1 name=$2 log=$3

# Sets live_pid and live_name to the tunnel that runs: a `code tunnel` that is not one of its subcommands.
find_live() {
  live_pid='' live_name=''
  for folder in /proc/[0-9]*; do
    [ -r "$folder/cmdline" ] || continue
    words=$(tr '\0' '\n' <"$folder/cmdline" 2>/dev/null) || continue
    case $words in *tunnel*) ;; *) continue ;; esac
    # The words of one process: the program, then `tunnel`, then its flags.
    before='' is_tunnel=no given=''
    while IFS= read -r word; do
      case $is_tunnel:${before##*/}:$word in
        no:code:tunnel | no:code-tunnel:tunnel) is_tunnel=yes ;;
        yes:tunnel:user | yes:tunnel:status | yes:tunnel:kill | yes:tunnel:prune | yes:tunnel:rename | \
          yes:tunnel:restart | yes:tunnel:unregister | yes:tunnel:service | yes:tunnel:help) is_tunnel=no ;;
        yes:--name:*) given=$word ;;
        yes:*:--name=*) given=${word#--name=} ;;
      esac
      before=$word
    done <<END
$words
END
    if [ "$is_tunnel" = yes ]; then
      live_pid=${folder#/proc/} live_name=${given:-unknown}
      return 0
    fi
  done
  return 1
}

show_log() {
  [ ! -r "$log" ] || tail -n 40 "$log" | sed 's/^/log /'
}

# Whether a process of ours is there and not merely unburied.
alive() {
  state=$(sed 's/.*) //; s/ .*//' "/proc/$1/stat" 2>/dev/null) && [ -n "$state" ] && [ "$state" != Z ]
}

nap() {
  sleep 0.1 2>/dev/null || sleep 1
}

case $mode in
  stop)
    ! find_live || kill "$live_pid" 2>/dev/null
    exit 0
    ;;
esac

command -v code >/dev/null 2>&1 || exit 80

case $mode in
  foreground)
    # stdout is not ours to use without a terminal: the answer is written there.
    [ -t 1 ] || exec 1>&2
    exec code tunnel --accept-server-license-terms --name "$name"
    ;;
  look)
    ! find_live || printf 'name=%s\nbefore=yes\n' "$live_name"
    show_log
    exit 0
    ;;
esac

mkdir -p "${log%/*}" || exit 1
# Two starts at once must not make two processes. A lock that nobody holds any more is taken over.
lock=$log.lock
tries=0
until mkdir "$lock" 2>/dev/null; do
  holder=$(cat "$lock/pid" 2>/dev/null) || holder=
  tries=$((tries + 1))
  if [ "$tries" -gt 20 ] && { [ -z "$holder" ] || ! kill -0 "$holder" 2>/dev/null; }; then
    rm -rf "$lock"
  fi
  [ "$tries" -le 300 ] || exit 1
  nap
done
printf '%s' "$$" >"$lock/pid"
trap 'rm -rf "$lock"' EXIT
trap 'exit 130' HUP INT TERM

if find_live; then
  printf 'name=%s\nbefore=yes\n' "$live_name"
  show_log
  exit 0
fi

: >"$log" || exit 1
detach=
! command -v setsid >/dev/null 2>&1 || detach=setsid
# shellcheck disable=SC2086 # no word at all without setsid
(trap '' HUP; trap - EXIT; exec $detach code tunnel --accept-server-license-terms --name "$name") >>"$log" 2>&1 </dev/null &
pid=$!

# Until it says that it is open or wants a login, or has been silent for ten seconds, or is gone.
tries=0
while [ "$tries" -lt 100 ]; do
  if ! alive "$pid"; then
    # setsid may have gone on in a child of its own.
    if ! find_live; then
      show_log
      exit 81
    fi
    pid=$live_pid
  fi
  ! grep -q -e 'Open this link in your browser' -e 'login/device' -e 'devicelogin' "$log" || break
  tries=$((tries + 1))
  nap
done
printf 'name=%s\nbefore=no\n' "$name"
show_log
