# Gives the workspace's user its folders. Runs as root, in images of any kind, so it uses little beyond the shell.
# $1 user (name or uid, with :group or without)   $2 work folder   $3 home   $4 asked|default
# Exits with 80 when a user that was asked for does not exist.
set -eu
user=${1%%:*} group='' work=$2 home=$3
case $1 in *:*) group=${1#*:} ;; esac

# Sets uid and gid from the account of that name or number; false when there is none.
account() {
  # The last line may have no end.
  while IFS=: read -r entry _ entry_uid entry_gid _ || [ -n "$entry" ]; do
    if [ "$entry" = "$1" ] || [ "$entry_uid" = "$1" ]; then
      uid=$entry_uid gid=$entry_gid
      return 0
    fi
  done </etc/passwd
  return 1
}

# Whether a file of accounts or groups has a line of this name or number.
listed() {
  while IFS=: read -r entry _ number _ || [ -n "$entry" ]; do
    if [ "$entry" = "$2" ] || [ "$number" = "$2" ]; then return 0; fi
  done <"$1"
  return 1
}

# Adds a line to a file whose last line may have no end.
add_line() {
  if [ -s "$1" ] && [ -n "$(tail -c 1 "$1")" ]; then printf '\n' >>"$1"; fi
  printf '%s\n' "$2" >>"$1"
}

# Two creates of one workspace may be here at once, and one account is enough. A lock that outlived its holder is
# passed by after ten seconds.
take_turns() {
  lock=/.agent-workspace-prepare
  tries=0
  until mkdir "$lock" 2>/dev/null; do
    tries=$((tries + 1))
    [ "$tries" -le 100 ] || return 0
    sleep 0.1 2>/dev/null || sleep 1
  done
  trap 'rmdir "$lock" 2>/dev/null' EXIT
}

free_number() {
  candidate=1000
  while listed /etc/passwd "$candidate" || listed /etc/group "$candidate"; do candidate=$((candidate + 1)); done
  printf '%s' "$candidate"
}

# By hand, as useradd and adduser are not everywhere and differ where they are.
make_account() {
  uid=$(free_number) gid=$uid
  shell=/bin/sh
  for program in /bin/zsh /bin/bash; do
    if [ -x "$program" ]; then
      shell=$program
      break
    fi
  done
  if listed /etc/group "$user"; then gid=$number; else add_line /etc/group "$user:x:$gid:"; fi
  add_line /etc/passwd "$user:x:$uid:$gid::$home:$shell"
  [ ! -e /etc/shadow ] || add_line /etc/shadow "$user:!:19000:0:99999:7:::"
}

uid='' gid=''
[ -e /etc/passwd ] || printf 'root:x:0:0:root:/root:/bin/sh\n' >/etc/passwd
[ -e /etc/group ] || printf 'root:x:0:\n' >/etc/group
if ! account "$user"; then
  case $user in
    *[!0-9]*)
      [ "$4" = default ] || exit 80
      take_turns
      account "$user" || make_account
      ;;
    *) uid=$user gid=0 ;;
  esac
fi
mkdir -p "$work" "$home"
# Only the folders themselves: what is in them belongs to whoever made it, and may be much.
chown "$uid:${group:-$gid}" "$work" "$home"
