# The VS Code tunnel of a workspace: one process, found by what runs and not by what a file says.
# $1 look|start|foreground|abort  $2 name  $3 log  $4 id of the call  $5 folder for what calls leave one another
# Prints name=, before=yes|no and the log's end as `log ` lines. Exits with 80 without the CLI, 81 when it died.
set -u
mode=$1 name=$2 log=$3 scratch=$5
# The numbers of this call's processes, for ending them when it is interrupted. In no volume. They stay when it ends, as
# its answer may be lost; the next start removes them.
marks=$scratch/.agent-workspace-tunnel-
mine=$marks$4

# Sets live_name to that of the tunnel that runs: `code tunnel` itself, or a script of that name under its shell.
find_live() {
  for folder in /proc/[0-9]*; do
    words=$(tr '\0' '\n' <"$folder/cmdline" 2>/dev/null) || continue
    case $words in *code*tunnel*) ;; *) continue ;; esac
    # Where nothing but this mark tells a workspace's processes from others.
    if [ -n "${AGENT_WORKSPACE_ID:-}" ]; then
      tr '\0' '\n' <"$folder/environ" 2>/dev/null | grep -qx "AGENT_WORKSPACE_ID=$AGENT_WORKSPACE_ID" || continue
    fi
    place=0 program='' is_tunnel=no before='' live_name=unknown
    while IFS= read -r word; do
      place=$((place + 1))
      case $place:$program:${word##*/} in
        1::sh | 1::bash | 1::dash | 1::busybox | 2:*:sh) ;;
        1::code | 1::code-tunnel | 2::code | 3::code) program=code ;;
        *:code:tunnel) is_tunnel=yes program=tunnel ;;
        *:tunnel:user | *:tunnel:status | *:tunnel:kill | *:tunnel:prune | *:tunnel:rename | *:tunnel:restart | \
          *:tunnel:unregister | *:tunnel:service | *:tunnel:help)
          [ "$before" != tunnel ] || is_tunnel=no
          ;;
        *:tunnel:*)
          case $before:$word in
            --name:*) live_name=$word ;;
            *:--name=*) live_name=${word#--name=} ;;
          esac
          ;;
        *) break ;;
      esac
      before=$word
    done <<END
$words
END
    [ "$is_tunnel" = no ] || return 0
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

if [ "$mode" = abort ]; then
  [ ! -e "$mine" ] || printf 'result=aborted\n'
  while read -r pid; do kill "$pid" 2>/dev/null; done <"$mine" 2>/dev/null
  rm -f "$mine"
  exit 0
fi

command -v code >/dev/null 2>&1 || exit 80

case $mode in
  foreground)
    # The process that begins here is the tunnel's.
    printf '%s\n' "$$" >"$mine"
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
# Two starts at once must not make two processes. The lock goes with whoever holds it, however that ends.
exec 8>>"$scratch"/.agent-workspace-tunnel.lock || exit 1
! command -v flock >/dev/null 2>&1 || flock 8

if find_live; then
  printf 'name=%s\nbefore=yes\n' "$live_name"
  show_log
  exit 0
fi

: >"$log" || exit 1
detach=
! command -v setsid >/dev/null 2>&1 || detach=setsid
# shellcheck disable=SC2086 # no word at all without setsid
(trap '' HUP; exec $detach code tunnel --accept-server-license-terms --name "$name") >>"$log" 2>&1 </dev/null 8>&- &
pid=$!
# No tunnel ran, so nobody waits for what others have noted.
rm -f "$marks"*
printf '%s\n%s\n' "$$" "$pid" >"$mine"

# Until it says that it is open or wants a login, or has been silent for ten seconds, or is gone.
tries=0
while [ "$tries" -lt 100 ]; do
  if ! alive "$pid"; then
    show_log
    rm -f "$mine"
    exit 81
  fi
  ! grep -q -e 'Open this link in your browser' -e 'login/device' -e 'devicelogin' "$log" || break
  tries=$((tries + 1))
  nap
done
printf 'name=%s\nbefore=no\n' "$name"
show_log
