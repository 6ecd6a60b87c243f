# What scripts about workspaces of a VM have in common. They run as root, one after the other.
# $user is the workspace's user, $folder its folder, $name and $owner what its record has; whoever uses them has set them.
# shellcheck disable=SC2034,SC2154
set -eu
umask 077
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export PATH

# One script at a time, so that none sees the half of another's work.
take_turns() {
  [ -d "$1" ] && [ ! -L "$1" ] && command -v setfacl >/dev/null || exit 80
  exec 9<"$1"
  flock -w 60 9 || {
    echo "another command holds $1" >&2
    exit 1
  }
}

# A line of a workspace's record.
recorded() {
  sed -n "s/^$1=//p" "$folder/record" 2>/dev/null || :
}

# Whether the folder is a workspace of this name, made by the launcher that asks.
is_ours() {
  [ "$(recorded name)" = "$name" ] && [ "$(recorded owner)" = "$owner" ]
}

# What is written of the workspace's user, if there is one.
account() {
  getent passwd "$user" || :
}

# Whether the user is one that we make for workspaces, and surely nobody who may do more.
is_our_user() {
  case $user:$(account) in
    ws--*:"$user":*:0:*) return 1 ;;
    ws--*:"$user":*:*:*:'agent-workspace '*) return 0 ;;
  esac
  return 1
}

# Whether the user is that of the workspace in $folder which the call $1 has made. Another launcher's
# workspace may have a user of the same name, in a folder that it was moved to.
is_its_user() {
  is_our_user || return 1
  case $(account) in
    *:*:*:*:"agent-workspace $1":*:* | *:*:*:*:*:"$folder/home":*) return 0 ;;
  esac
  return 1
}

# Sends a signal to every process of the user at once: as that user, the list of everybody it may be sent to is theirs.
signal() {
  # shellcheck disable=SC2016 # the shell that it starts expands it
  setpriv --reuid="$user" --regid="$user" --clear-groups -- sh -c 'kill -s "$0" -- -1' "$1" 9<&- 2>/dev/null || :
}

# The states of the user's processes, a letter each; of those that have ended none.
processes() {
  # shellcheck disable=SC2044 # they are numbers
  for process in $(find /proc -maxdepth 1 -name '[0-9]*' -user "$user" 2>/dev/null); do
    case $(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "$process/status" 2>/dev/null) in
      '' | Z | X) ;;
      T) printf 'T' ;;
      *) printf 'R' ;;
    esac
  done
}

# Ends every process of the user, which has five seconds to end by itself.
end_all() {
  tries=0
  if [ -n "$(processes)" ]; then
    signal TERM
    signal CONT
  fi
  while [ -n "$(processes)" ] && [ "$tries" -lt 50 ]; do
    tries=$((tries + 1))
    sleep 0.1
  done
  # Also those of another user's rights that it has started.
  signal KILL
  tries=0
  while [ -n "$(processes)" ]; do
    tries=$((tries + 1))
    [ "$tries" -le 100 ] || {
      echo "a process of $user does not end" >&2
      exit 1
    }
    sleep 0.1
    signal KILL
  done
}

# Whether the folder $1 is the workspace that the call $id has made.
is_it() {
  [ -d "$1" ] && [ ! -L "$1" ] && [ "$(sed -n 's/^create_id=//p' "$1/record" 2>/dev/null)" = "$id" ]
}

# Removes a folder. The record goes last: whatever ends this in the middle, it says whose the rest is.
drop() {
  # Who works in it is not waited for: from here on nobody gets in, and who is in runs out of places.
  chmod 0700 "$1"
  tries=0
  until find "$1" -mindepth 1 -maxdepth 1 ! -name record -exec rm -rf --one-file-system -- {} +; do
    tries=$((tries + 1))
    [ "$tries" -lt 5 ] || exit 1
  done
  rm -rf --one-file-system "$1"
}

# Which calls are not to make anything any more: their orders may still be on their way when they are taken back.
revoked=/run/agent-workspace

# Removes the other one of two folders, when a move from one to the other was cut off. Says moved=yes when it did.
forget_move() {
  mover=$root/.moving-$id
  [ -f "$mover" ] || return 0
  for line in 2 3; do
    other=$(sed -n "${line}p" "$mover")
    rm -rf --one-file-system "${other%/*}/.agent-workspace-$id"
    if [ "$other" != "$folder" ] && is_it "$other"; then drop "$other"; fi
  done
  rm -f "$mover"
  printf 'moved=yes\n'
}
