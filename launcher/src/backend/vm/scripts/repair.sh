# Proves what belongs to a workspace, and restores what does not hold.
# $1 folder of workspaces  $2 full name  $3 its folder  $4 its user and group  $5 who logs in  $6 mark of the call
# $7 mark of the launcher's state  then the users who are admitted
# Reads what its commands find in their environment from stdin, for the case that this is gone.
# Prints step NAME yes|no for each in its order, separated by tabs.
# Exits with 80 when the VM is not prepared, 81 when the folder and 82 when the user is somebody else's, 83 without folder.
# shellcheck disable=SC2034,SC2154
root=$1 name=$2 folder=$3 user=$4 admin=$5 id=$6 owner=$7
shift 7
take_turns "$root"
if [ ! -d "$folder" ] || [ -L "$folder" ]; then exit 83; fi
there=$(recorded create_id)
if [ "$there" != "$id" ] && [ -n "$there" ] && ! is_ours; then exit 81; fi
if [ -n "$(account)" ] && ! is_its_user "$id" && ! is_its_user "$there"; then exit 82; fi

# step NAME BEFORE AFTER
step() {
  if [ "$2" = "$3" ]; then printf 'step\t%s\tno\n' "$1"; else printf 'step\t%s\tyes\n' "$1"; fi
}

# Everything about the workspace's own folders, and of the folders that were made in them.
own_folders() {
  for part in work home tmp; do
    [ ! -d "$folder/$part" ] || printf '%s ' "$part"
  done
}
modes() {
  stat -c '%a %U:%G' "$folder" "$folder/work" "$folder/home" "$folder/tmp"
}
lists() {
  getfacl -cp -- "$folder" "$folder/work" 2>/dev/null
}
folders_below() {
  find "$folder/work" -xdev -mindepth 1 -type d "$@"
}
lists_below() {
  folders_below -print0 | sort -z | xargs -0 -r getfacl -cp -- 2>/dev/null | cksum
}
whose() {
  account | cut -d : -f 1,4,6
}

step move '' "$(forget_move)"

before=$(getent group "$user" | cut -d : -f 1 || :)
make_group
step group "$before" "$user"
gid=$(getent group "$user" | cut -d : -f 3)

before=$(whose)
[ "$before" = "$user:$gid:$folder/home" ] || make_user
[ "$(account | cut -d : -f 4)" = "$gid" ] || usermod --gid "$gid" -- "$user"
step user "$before" "$(whose)"

before=$(own_folders)
for part in work home tmp; do
  [ -d "$folder/$part" ] || mkdir -m 0700 "$folder/$part"
done
step folders "$before" "$(own_folders)"

# Whose everything is: the group's what is in the work folder, the user's what is in the home, nobody's nothing.
# As the whole tree by one program, which follows no link that somebody puts there meanwhile.
changed=
for uid in $(find "$folder/work" -xdev -mindepth 1 \( -uid 0 -o -nouser \) -printf '%U\n' | sort -u); do
  changed=$changed$(chown -R -h -c --from="$uid" "$user" "$folder/work")
done
changed=$changed$(
  chgrp -R -h -c "$user" "$folder/work"
  chown -R -h -c "$user:$user" "$folder/home" "$folder/tmp"
)
step owner '' "$changed"

modes_before=$(modes) lists_before=$(lists)
furnish "$folder"
step modes "$modes_before" "$(modes)"

# Whether a user may mend folders: the workspace's own and agents, and nobody who has more to lose.
may_mend() {
  case $(getent passwd "$1" | cut -d : -f 1) in
    "$user" | agt--*) return 0 ;;
  esac
  return 1
}

# Each folder by its owner: whatever somebody puts in its place meanwhile is the owner's too.
below_before=$(lists_below)
without=$(folders_below ! -perm -2000 -print -quit)
entries=u::rwx,g::rwx,m::rwx,o::---
[ "$admin" = root ] || entries=u::rwx,u:$admin:rwx,g::rwx,m::rwx,o::---
for uid in $(folders_below ! -uid 0 -printf '%U\n' | sort -u); do
  may_mend "$uid" || continue
  # shellcheck disable=SC2016 # the shell that it starts expands it
  setpriv --reuid="$uid" --regid="$user" --clear-groups -- sh -c '
    find "$0" -xdev -mindepth 1 -type d -uid "$1" -exec setfacl -m "$2" -- {} + -exec setfacl -d -m "$2" -- {} +
    find "$0" -xdev -mindepth 1 -type d -uid "$1" ! -perm -2000 -exec chmod g+s -- {} +
  ' "$folder/work" "$uid" "$entries" 9<&- 2>/dev/null || :
done
step setgid "$without" "$(folders_below ! -perm -2000 -print -quit)"
step access_lists "$lists_before$below_before" "$(lists)$(lists_below)"

before=$(getent group "$user" | cut -d : -f 4 | tr , '\n' | sort)
admit "$@"
step members "$before" "$(getent group "$user" | cut -d : -f 4 | tr , '\n' | sort)"

before=there
if [ ! -f "$folder/environment" ] || [ -L "$folder/environment" ]; then
  before=gone
  rm -rf "$folder/environment"
  cat >"$folder/environment"
fi
owned=$(stat -c '%a %U:%G' "$folder/environment")
chown "$user:$user" "$folder/environment"
chmod 0600 "$folder/environment"
step environment "$before $owned" "there 600 $user:$user"

before=$(cat "$folder/record" 2>/dev/null || :)
found=$(recorded found)
write_record "$folder" "${found:-no}"
step record "$before" "$(cat "$folder/record")"
printf 'end\n'
