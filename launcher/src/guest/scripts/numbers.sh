# What is done about numbers of users and groups, which Linux gives to the next one when theirs is gone. Stands before
# scripts that run as root.

# work_folders FOLDER: the work folders of all workspaces, wherever they were moved to, a line each.
work_folders() {
  {
    for work in "$1"/*/work; do
      [ ! -d "$work" ] || echo "$work"
    done
    getent passwd | awk -F : '$1 ~ /^ws--/ && $6 ~ /^\/.*\/home$/ { sub(/home$/, "work", $6); print $6 }'
  } | sort -u | while IFS= read -r work; do
    [ ! -d "$work" ] || [ -L "$work" ] || echo "$work"
  done
}

# The homes of users whose names begin with one of these, a line each.
homes_of() {
  getent passwd | awk -F : -v names="^($1)--" '$1 ~ names && $6 ~ /^\/./ { print $6 }'
}

# Where everybody may leave something, a line each.
open_folders() {
  for place in /tmp /var/tmp /dev/shm /run/lock /dev/mqueue; do
    [ ! -d "$place" ] || [ -L "$place" ] || echo "$place"
  done
}

# take_back_programs GID FOLDER: takes from programs that they give this group to whoever runs them, which would be a
# way back in. By their owners: whatever somebody puts in the place of one meanwhile is the owner's too.
take_back_programs() {
  { open_folders && homes_of 'agt|ws' && work_folders "$2"; } | sort -u | while IFS= read -r place; do
    for owner in $(find "$place" -xdev -type f ! -uid 0 -group "$1" -perm -2000 -printf '%U\n' 2>/dev/null | sort -u); do
      # shellcheck disable=SC2016 # the inner shell's
      setpriv --reuid "$owner" --regid "$1" --clear-groups sh -c \
        'find "$0" -xdev -type f -uid "$1" -group "$2" -perm -2000 -exec chmod g-s -- {} +' \
        "$place" "$owner" "$1" </dev/null 2>/dev/null 9>&- || true
    done
  done
}

# end_starters USER UID: what would start processes of a user once all have ended.
end_starters() {
  rm -f -- "/var/spool/cron/crontabs/$1" "/var/lib/systemd/linger/$1"
  for jobs in /var/spool/cron/atjobs /var/spool/at; do
    [ ! -d "$jobs" ] || find "$jobs" -xdev -type f -user "$2" -delete
  done
  if [ -d /run/systemd/system ]; then
    loginctl disable-linger "$1" 2>/dev/null || true
    systemctl stop "user@$2.service" 2>/dev/null || true
  fi
}

# give_away UID GID FOLDER: what a user (if one is named) and a group have in the work folders and homes of others becomes
# theirs.
give_away() {
  { work_folders "$3" && homes_of agt; } | while IFS= read -r place; do
    if [ ! -d "$place" ] || [ -L "$place" ]; then continue; fi
    owner=$(stat -c %u "$place") group=$(stat -c %g "$place")
    [ -z "$1" ] ||
      find "$place" -xdev -user "$1" -execdir chown -h --from="$1" "$owner:$group" -- '{}' + 2>/dev/null || true
    find "$place" -xdev -group "$2" -execdir chown -h --from=":$2" ":$group" -- '{}' + 2>/dev/null || true
  done
}

# clear_traces USER UID: what a user without processes has where everybody may leave something.
clear_traces() {
  open_folders | while IFS= read -r place; do
    find "$place" -xdev -mindepth 1 -user "$2" ! -type d -delete 2>/dev/null || true
    find "$place" -xdev -mindepth 1 -depth -user "$2" -type d -empty -delete 2>/dev/null || true
  done
  for kind in m:shm q:msg s:sem; do
    # shellcheck disable=SC2016 # awk's
    awk -v uid="$2" '
      NR == 1 { for (i = 1; i <= NF; i++) if ($i == "uid") at = i; next }
      at && $at == uid { print $2 }' "/proc/sysvipc/${kind#*:}" 2>/dev/null | while read -r number; do
      # By itself: in a container root may not.
      setpriv --reuid "$2" --regid 65534 --clear-groups \
        ipcrm "-${kind%:*}" "$number" </dev/null 2>/dev/null 9>&- || true
    done
  done
  rm -f -- "/var/mail/$1"
}

# The numbers of groups that processes have, a line each.
held_groups() {
  cat /proc/[0-9]*/status 2>/dev/null | awk '/^(Gid|Groups):/ { for (i = 2; i <= NF; i++) print $i }'
}

# A number for a user and a group of the system that is nobody's. One that a process has kept from a group that was
# removed would let that process in, so that those are not taken, and others as late as can be.
free_number() {
  folder_of_last=/etc/agent-workspace
  last=$(cat "$folder_of_last/last-number" 2>/dev/null || :)
  case $last in '' | *[!0-9]*) last=1000 ;; esac
  chosen=$(
    {
      getent group | cut -d : -f 3
      getent passwd | cut -d : -f 3,4 | tr : '\n'
      held_groups
    } | awk -v last="$last" '
      { used[$1] }
      END {
        # As Debian does: from 999 down to 100, and then from the start.
        for (i = 1; i <= 900; i++) {
          n = 100 + (last - 100 - i + 1800) % 900
          if (!(n in used)) { print n; exit }
        }
      }'
  )
  [ -n "$chosen" ] || {
    echo 'no number for a user of the system is free' >&2
    exit 1
  }
  [ -d "$folder_of_last" ] || mkdir -m 0755 "$folder_of_last"
  echo "$chosen" >"$folder_of_last/last-number.new"
  mv -f "$folder_of_last/last-number.new" "$folder_of_last/last-number"
  echo "$chosen"
}
