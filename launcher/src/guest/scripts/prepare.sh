# Gives the workspace's user its folders. Runs as root, in images of any kind, so it uses little beyond the shell.
# $1 user (name or uid, with :group or without)   $2 work folder   $3 home   $4 asked|default
# Exits with 80 when a user that was asked for does not exist.
set -eu
user=${1%%:*} group='' work=$2 home=$3
case $1 in *:*) group=${1#*:} ;; esac

# Sets uid and gid from the account of that name or number; false when there is none.
account() {
  while IFS=: read -r entry _ entry_uid entry_gid _; do
    if [ "$entry" = "$1" ] || [ "$entry_uid" = "$1" ]; then
      uid=$entry_uid gid=$entry_gid
      return 0
    fi
  done </etc/passwd
  return 1
}

free_number() {
  candidate=1000
  while account "$candidate"; do candidate=$((candidate + 1)); done
  printf '%s' "$candidate"
}

# Two creates of one workspace may be here at once, and one account is enough. A lock that outlived its holder is
# passed by after ten seconds.
lock=/.agent-workspace-prepare
tries=0
until mkdir "$lock" 2>/dev/null; do
  tries=$((tries + 1))
  [ "$tries" -le 100 ] || break
  sleep 0.1 2>/dev/null || sleep 1
done
trap 'rmdir "$lock" 2>/dev/null' EXIT

uid='' gid=''
if ! [ -e /etc/passwd ]; then
  printf 'root:x:0:0:root:/root:/bin/sh\n' >/etc/passwd
fi
if ! account "$user"; then
  case $user in
    *[!0-9]*)
      [ "$4" = default ] || exit 80
      uid=$(free_number) gid=$uid
      shell=/bin/sh
      for program in /bin/zsh /bin/bash; do
        if [ -x "$program" ]; then
          shell=$program
          break
        fi
      done
      # By hand, as useradd and adduser are not everywhere and differ where they are.
      printf '%s:x:%s:\n' "$user" "$gid" >>/etc/group
      printf '%s:x:%s:%s::%s:%s\n' "$user" "$uid" "$gid" "$home" "$shell" >>/etc/passwd
      if [ -e /etc/shadow ]; then printf '%s:!:19000:0:99999:7:::\n' "$user" >>/etc/shadow; fi
      ;;
    *) uid=$user gid=0 ;;
  esac
fi
mkdir -p "$work" "$home"
# Only the folders themselves: what is in them belongs to whoever made it, and may be much.
chown "$uid:${group:-$gid}" "$work" "$home"
