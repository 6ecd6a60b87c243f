# Moves a workspace to another folder of its VM, in two halves: between them the launcher writes down where it is.
# $1 folder of workspaces  $2 full name  $3 its folder  $4 its user and group  $5 who logs in  $6 mark of the call
# $7 mark of the launcher's state  $8 the other folder
# $9 copy: makes the other folder whole  settle: removes this one, which the launcher no longer knows
#    abandon: removes the other one, which it does not know
# Exits with 80 when the VM is not prepared, 83 without the workspace, 84 when something runs in it, 85 when the other
# folder is there, 86 when nothing can be there.
# shellcheck disable=SC2034,SC2154
root=$1 name=$2 folder=$3 user=$4 admin=$5 id=$6 owner=$7 target=$8 what=$9
part=${target%/*}/.agent-workspace-$id
mover=$root/.moving-$id

if [ "$what" = abandon ] && [ -f "$mover" ]; then
  # What still copies is this workspace's, or the number is somebody else's by now.
  pid=$(sed -n 1p "$mover")
  if tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -qx "$id"; then kill "$pid" 2>/dev/null || :; fi
fi
take_turns "$root"

case $what in
  abandon)
    rm -rf --one-file-system "$part"
    if is_it "$target" && is_it "$folder"; then drop "$target"; fi
    rm -f "$mover"
    printf 'end\n'
    exit 0
    ;;
  settle)
    is_it "$target" || exit 83
    if is_it "$folder"; then drop "$folder"; fi
    if is_its_user "$id"; then usermod --home "$target/home" -- "$user"; fi
    rm -f "$mover"
    printf 'end\n'
    exit 0
    ;;
esac

if ! is_it "$folder" || ! is_its_user "$id"; then exit 83; fi
# What has its place in it runs in it, whoever's it is.
at_work() {
  [ -z "$(processes)" ] || return 0
  for place in /proc/[0-9]*/cwd; do
    case $(readlink "$place" 2>/dev/null) in "$folder" | "$folder"/*) return 0 ;; esac
  done
  return 1
}
if at_work; then exit 84; fi
refuse() {
  echo "$1" >&2
  exit "$2"
}
parent=${target%/*}
[ -d "${parent:-/}" ] || refuse "$parent is no folder" 86
[ "$(readlink -f "${parent:-/}")" = "${parent:-/}" ] || refuse "a part of $parent is a link" 86
above=$parent
while [ -n "$above" ]; do
  # Whoever may change a folder on the way may put something else in the workspace's place.
  case $(stat -c '%U %A' "$above") in
    root\ d????-??-?*) ;;
    *) refuse "$above can be changed by others than root" 86 ;;
  esac
  above=${above%/*}
done
setpriv --reuid="$user" --regid="$user" --clear-groups -- test -x "${parent:-/}" 9<&- ||
  refuse "the workspace's user cannot pass $parent" 86
if [ -e "$target" ] || [ -L "$target" ]; then
  # A copy of ours that was never counted on goes.
  is_it "$target" || refuse "$target is there" 85
  drop "$target"
fi
rm -rf --one-file-system "$part"

copier=
give_up() {
  [ -z "$copier" ] || kill "$copier" 2>/dev/null || :
  rm -rf --one-file-system "$part"
  rm -f "$mover"
}
trap give_up EXIT
trap 'exit 143' HUP INT TERM
# Until it is settled, this says where the other one of the two is.
printf '%s\n' "$$" "$folder" "$target" >"$mover"
in_background() {
  "$@" 9<&- &
  copier=$!
  wait "$copier"
  copier=
}
in_background cp -a -- "$folder" "$part"

# Names, owners, modes, access lists, times and contents, as one sum.
sum() {
  tar --sort=name --format=posix --pax-option='exthdr.name=%d/%f,delete=atime,delete=ctime' --acls \
    -C "$1" -cf - work home 2>/dev/null | sha256sum
}
copied=$(sum "$part")
if [ "$(sum "$folder")" != "$copied" ]; then refuse 'what was copied is not what is there' 1; fi
if at_work; then exit 84; fi

# What commands find in their environment names the folder; a line that says exactly that is changed.
awk -v old="$folder" -v new="$target" '
  function at(line, start) { return index(line, start) == 1 }
  at($0, "export HOME=\047" old "/home\047") || at($0, "export TMPDIR=\047" old "/tmp\047") ||
  at($0, "export PATH=\047" old "/home/.local/bin:") {
    rest = index($0, old)
    $0 = substr($0, 1, rest - 1) new substr($0, rest + length(old))
  }
  { print }' "$folder/environment" >"$part/environment"
mv -T "$part" "$target"
trap - EXIT
printf 'end\n'
