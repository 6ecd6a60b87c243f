# Who may do what in the folder $1: its user everything, the group's members and the admin what is in the work folder,
# nobody else anything. New files are the group's whatever the umask of who makes them. After processes.sh, which says
# what the names mean, and numbers.sh.
# shellcheck disable=SC2154
furnish() {
  chown "root:$user" "$1"
  chmod 0750 "$1"
  chown "$user:$user" "$1/work" "$1/home" "$1/tmp"
  chmod 0700 "$1/home" "$1/tmp"
  setfacl -b -- "$1" "$1/work"
  chmod 0770 "$1/work"
  if [ "$admin" = root ]; then
    setfacl -d -m u::rwx,g::rwx,m::rwx,o::--- -- "$1/work"
  else
    setfacl -m "u:$admin:r-x" -- "$1"
    setfacl -m "u:$admin:rwx,g::rwx,m::rwx,o::---" -- "$1/work"
    setfacl -d -m "u::rwx,u:$admin:rwx,g::rwx,m::rwx,o::---" -- "$1/work"
  fi
  # Last: on some file systems a new access list takes this mark away.
  chmod g+s "$1/work"
  [ -g "$1/work" ] || {
    echo "the file system of $1 does not let new files be the group's" >&2
    exit 1
  }
}

# Makes the group's members those that are named, as far as there are such users.
admit() {
  members=
  for member; do
    if id -u -- "$member" >/dev/null 2>&1; then members=$members,$member; fi
  done
  gpasswd -M "${members#,}" "$user" >/dev/null
}

# Writes down whose the folder $1 is, and which call made it.
write_record() {
  printf 'form=1\nname=%s\nowner=%s\nuser=%s\ncreate_id=%s\nfound=%s\n' "$name" "$owner" "$user" "$id" "$2" >"$1/.record"
  chmod 0644 "$1/.record"
  mv -f "$1/.record" "$1/record"
}

# Makes the group, unless it is there.
make_group() {
  if getent group "$user" >/dev/null; then return; fi
  number=$(free_number)
  groupadd --system --gid "$number" -- "$user"
}

# Makes the group and the user; sets new_user.
# shellcheck disable=SC2034
make_user() {
  new_user=no
  make_group
  if [ -n "$(account)" ]; then
    usermod --comment "agent-workspace $id" --home "$folder/home" -- "$user"
    return
  fi
  shell=/bin/sh
  [ ! -x /bin/bash ] || shell=/bin/bash
  own=$(getent group "$user" | cut -d : -f 3)
  if getent passwd "$own" >/dev/null; then own=$(free_number); fi
  useradd --system --uid "$own" --gid "$user" --no-create-home --home-dir "$folder/home" --shell "$shell" \
    --comment "agent-workspace $id" -- "$user" 2>/dev/null
  new_user=yes
}
