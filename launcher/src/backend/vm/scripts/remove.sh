# Removes a workspace, or what a call that was to make one has made.
# $1 folder of workspaces  $2 full name  $3 its folder  $4 its user and group  $5 mark of the call that made it
# $6 mark of the launcher's state  $7 undo: only what that call made  remove: it all  keep: all but folders and user
# Prints left=ours|others when the folder is another call's and stays, kept=yes when it stays for another reason.
# shellcheck disable=SC2034,SC2154
root=$1 name=$2 folder=$3 user=$4 id=$5 owner=$6 mode=$7
take_turns "$root"
[ -d "$revoked" ] || mkdir -m 0700 "$revoked"
: >"$revoked/removed-$id"
rm -rf --one-file-system "$root/.new-$id"
if [ -e "$folder" ] || [ -L "$folder" ]; then
  there=$(recorded create_id)
  if [ "$there" != "$id" ] && { [ "$mode" = undo ] || [ -L "$folder" ] || { [ -n "$there" ] && ! is_ours; }; }; then
    if is_ours; then printf 'left=ours\n'; else printf 'left=others\n'; fi
    printf 'end\n'
    exit 0
  fi
  if [ "$mode:$(recorded found)" = undo:yes ]; then mode=keep; fi
fi
theirs=no
if is_its_user "$id"; then
  end_starters "$user" "$(id -u -- "$user")"
  end_all
elif is_our_user; then
  theirs=yes
elif [ -n "$(account)" ] && [ "$mode" != undo ]; then
  echo "the user $user is not one that was made for workspaces" >&2
  exit 1
fi
forget_move >/dev/null
# Takes the members out of the group, and from what they have elsewhere what would let them in again. When all goes,
# that becomes theirs. $1 number of the user when all goes
dismiss() {
  entry=$(getent group "$user") || return 0
  if [ -z "${entry##*:}" ]; then return 0; fi
  number=${entry#*:*:} number=${number%%:*}
  take_back_programs "$number" "$root"
  [ -z "${1:-}" ] || give_away "$1" "$number" "$root"
  # Last: with members it is done again, whatever ends it here.
  gpasswd -M '' "$user" >/dev/null
}
if [ "$mode" = keep ]; then
  [ "$theirs" = yes ] || dismiss
  printf 'kept=yes\nend\n'
  exit 0
fi
if [ -d "$folder" ]; then
  drop "$folder"
  printf 'removed=yes\n'
fi
if is_its_user "$id"; then
  case $mode:$(account) in
    undo:*:"agent-workspace $id":* | remove:*)
      # Nothing of it may fall to who gets its number next.
      uid=$(id -u -- "$user")
      clear_traces "$user" "$uid"
      dismiss "$uid"
      userdel -- "$user" 2>/dev/null || {
        echo "the user $user cannot be removed" >&2
        exit 1
      }
      printf 'removed=yes\n'
      ;;
  esac
fi
# A group of that name without its user is what was begun, or what is left of one.
if [ -z "$(account)" ] && getent group "$user" >/dev/null; then
  dismiss
  groupdel -- "$user"
fi
printf 'end\n'
