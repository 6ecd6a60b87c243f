# Whether secrets of the host can be used inside.
# $1 read|write: what is wanted, run as the workspace's user; or own: gives the folders that the engine made on the way
# to the mount to the owner of $3, run as root.  $2 mount  $3 home or work folder
# Prints result=usable|unreadable|unwritable, user= and owner= with numbers.
set -u
mount=$2

if [ "$1" = own ]; then
  # shellcheck disable=SC2046 # words are meant
  set -- $(ls -nd "$3/") "$3"
  owner=$3:$4
  for top in "$@"; do :; done
  folder=${mount%/*}
  while [ "${#folder}" -gt "${#top}" ]; do
    chown "$owner" "$folder" || exit 1
    folder=${folder%/*}
  done
  exit 0
fi

# A folder that can be listed may hold files that cannot be read.
readable() {
  [ -x "$mount" ] && ls -A "$mount" >/dev/null 2>&1 || return 1
  for entry in "$mount"/* "$mount"/.[!.]*; do
    if [ -e "$entry" ] && [ ! -r "$entry" ]; then return 1; fi
  done
}

result=usable
if ! readable; then
  result=unreadable
elif [ "$1" = write ] && [ ! -w "$mount" ]; then
  result=unwritable
fi
# shellcheck disable=SC2012 # numbers only; stat is not everywhere
owner=$(ls -nd "$mount/" | { read -r _ _ owner _ && printf '%s' "$owner"; })
printf 'result=%s\nuser=%s\nowner=%s\n' "$result" "$(id -u)" "$owner"
