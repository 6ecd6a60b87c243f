# Makes room for a look into a workspace, in a folder of its own that the workspace's user owns.
# $1 the workspace's folder  $2 its user  $3 the room, below its folder for what is left for one another
# Prints there=no when there is nothing to look into.
# shellcheck disable=SC2034
folder=$1 user=$2
if [ ! -e "$folder" ] && [ ! -L "$folder" ]; then
  printf 'there=no\n'
elif is_our_user; then
  # As the user, who may have made a link of anything there.
  setpriv --reuid="$user" --regid="$user" --clear-groups -- mkdir -m 0700 "$3"
  printf 'there=yes\n'
else
  echo "the user $user, whose $folder is, is gone" >&2
  exit 1
fi
printf 'end\n'
