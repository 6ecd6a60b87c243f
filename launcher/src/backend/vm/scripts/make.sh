# Makes a workspace: its user and group, its folders, who may into them, and its record.
# $1 folder of workspaces  $2 full name  $3 its folder  $4 its user and group  $5 who logs in  $6 mark of the call
# $7 mark of the launcher's state  $8 yes|no: folders that were kept are taken up  then the users who are admitted
# Reads what its commands find in their environment from stdin.
# Exits with 80 when the VM is not prepared, 81 when the folder and 82 when the user is somebody else's, 83 when
# the call was taken back before.
# shellcheck disable=SC2034,SC2154
root=$1 name=$2 folder=$3 user=$4 admin=$5 id=$6 owner=$7 kept=$8
shift 8
take_turns "$root"
[ ! -e "$revoked/removed-$id" ] || {
  echo 'it was removed before it was made' >&2
  exit 83
}
found=no
if [ -e "$folder" ] || [ -L "$folder" ]; then
  if [ "$kept" = no ] || ! is_ours; then
    echo "$folder is there" >&2
    exit 81
  fi
  found=yes
fi
if [ -n "$(account)" ]; then
  is_its_user "$id" || is_its_user "$(recorded create_id)" || {
    echo "the user $user is there" >&2
    exit 82
  }
  end_all
fi
make_user
place=$folder
if [ "$found" = no ]; then
  place=$root/.new-$id
  mkdir -m 0700 "$place"
fi
rm -rf "$place/tmp" "$place/environment"
for part in work home tmp; do
  [ -d "$place/$part" ] || mkdir -m 0700 "$place/$part"
done
if [ "$found:$new_user" = yes:yes ]; then
  chown -R -h "$user:$user" "$place/work" "$place/home"
fi
if [ "$found" = yes ]; then
  # Who was a member before may have processes that are so still.
  before=$(getent group "$user" | cut -d : -f 3)
  if held_groups | grep -qx "$before"; then
    number=$(free_number)
    groupmod --gid "$number" -- "$user"
    give_away '' "$before" "$root"
  fi
  chgrp -R -h "$user" "$place/work" "$place/home"
fi
furnish "$place"
cat >"$place/environment"
chown "$user:$user" "$place/environment"
write_record "$place" "$found"
admit "$@"
# What is there under its name is whole.
[ "$found" = yes ] || mv -T "$place" "$folder"
printf 'found=%s\nend\n' "$found"
