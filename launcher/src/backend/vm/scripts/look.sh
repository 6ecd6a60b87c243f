# Says how workspaces are, and what there is in their folder.
# $1 folder of workspaces  $2 yes|no: also what there is
# Reads name, create id, user and folder of each workspace, separated by tabs, a line each.
# Prints workspace NAME there|missing|broken|other PROCESSES for each, and entry NAME CREATE_ID OWNER USER TIME for what
# there is, separated by tabs; folders=missing when there is no folder for them.
# shellcheck disable=SC2034
root=$1
tab=$(printf '\t')
while IFS=$tab read -r name id user folder; do
  state=there
  if [ ! -d "$folder" ]; then
    state=missing
  else
    there=$(recorded create_id)
    if [ -z "$there" ] || ! is_its_user "$id"; then
      state=broken
    elif [ "$there" != "$id" ]; then
      state=other
    fi
  fi
  running=
  if is_its_user "$id"; then running=$(processes); fi
  printf 'workspace\t%s\t%s\t%s\n' "$name" "$state" "$running"
done
[ -d "$root" ] || printf 'folders=missing\n'
if [ "$2" = yes ]; then
  for folder in "$root"/* "$root"/.new-*; do
    if [ ! -d "$folder" ] || [ -L "$folder" ]; then continue; fi
    printf 'entry\t%s\t%s\t%s\t%s\t%s\n' "${folder##*/}" "$(recorded create_id)" "$(recorded owner)" \
      "$(recorded user)" "$(stat -c %Y "$folder")"
  done
fi
printf 'end\n'
