# What the scripts for an agent's user share; stands before each of them, after numbers.sh. They run as root, one at a time.
# $1 the folder of workspaces, and then what each of them takes
set -eu
workspaces=$1
shift
locks=/run/agent-workspace
[ -d "$locks" ] || mkdir -m 0700 "$locks" 2>/dev/null || [ -d "$locks" ]
# Those for workspaces change groups too, and take turns by this folder.
if [ -d "$workspaces" ]; then exec 9<"$workspaces"; else exec 9>"$locks/users.lock"; fi
flock -w 60 9 || {
  echo "another command holds $workspaces" >&2
  exit 1
}

# Reads the entry of a user: sets uid, gid, mark, home and shell; uid is empty when there is none.
read_user() {
  uid='' gid='' mark='' home='' shell=''
  # shellcheck disable=SC2034 # not every script needs all of them
  IFS=: read -r _ _ uid gid mark home shell <<ENTRY || true
$(getent passwd "$1" || true)
ENTRY
  # What can be told about a person stands after commas.
  mark=${mark%%,*}
}

# processes_of UID [GIDS]: the processes of a user, a line each; those in one of the groups alone, when some are given.
processes_of() {
  cat /proc/[0-9]*/status 2>/dev/null | awk -v uid="$1" -v gids="${2:-}" '
    /^Name:/ { own = 0 }
    /^State:/ { alive = $2 != "Z" && $2 != "X" }
    /^Pid:/ { pid = $2 }
    /^Uid:/ { own = alive && ($2 == uid || $3 == uid || $4 == uid) }
    /^Groups:/ && own {
      inside = gids == ""
      for (i = 2; i <= NF; i++) if (index(" " gids " ", " " $i " ")) inside = 1
      if (inside) print pid
    }'
}

# send SIGNAL UID: to every process of a user at once, so that none can make others meanwhile, and to those that have
# become somebody else.
send() {
  # shellcheck disable=SC2016 # the inner shell's
  setpriv --reuid "$2" --regid 65534 --clear-groups sh -c 'kill -s "$0" -1' "$1" 2>/dev/null 9>&- || true
  for process in $(processes_of "$2"); do
    kill -s "$1" "$process" 2>/dev/null || true
  done
}

# Ends every process of a user: asks them first. Sets `ended` to how many there were.
end_processes() {
  ended=$(processes_of "$1" | wc -l)
  [ "$ended" != 0 ] || return 0
  send TERM "$1"
  tries=0
  while [ -n "$(processes_of "$1")" ]; do
    tries=$((tries + 1))
    # Two seconds to end by themselves.
    [ "$tries" -lt 20 ] || send KILL "$1"
    if [ "$tries" -gt 120 ]; then
      echo "processes of it do not end: $(processes_of "$1" | tr '\n' ' ')" >&2
      exit 1
    fi
    sleep 0.1
  done
}
