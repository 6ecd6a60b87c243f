# Who has come back to a workspace while the create that makes it may still fail.
# $1 join|leave|abandon  $2 folder of the marks  $3 id of the call
# One at a time writes its own word and reads the others': were both to see the other, both would leave it to the other.
# The mark of a call that was killed stays, and keeps the workspace: better too much than somebody's work gone.
# Exits with 81 when joining what its maker has abandoned, with 82 when others have it.
# Who abandons removes within a minute. What is there for longer was not removed, and may be used by somebody.
set -u
folder=$2
mkdir -p "$folder" || exit 1

# Nobody needs five seconds. A container that was stopped in the middle keeps the lock of who had it.
waits=50
until mkdir "$folder.lock" 2>/dev/null; do
  waits=$((waits - 1))
  [ "$waits" -gt 0 ] || break
  sleep 0.1 2>/dev/null || { sleep 1 && waits=$((waits - 9)); }
done
trap 'rmdir "$folder.lock" 2>/dev/null' EXIT
trap 'exit 1' HUP INT TERM

# Whether somebody but the call of this id counts on the workspace. Marks of those who came back and stayed remain.
others() {
  for mark in "$folder"/joined-*; do
    if [ -e "$mark" ] && [ "$mark" != "$folder/joined-$1" ]; then return 0; fi
  done
  return 1
}

case $1 in
  join)
    # Its call may have ended before this came to run, and has taken back what it had not said yet.
    if [ -e "$folder/left-$3" ]; then exit 82; fi
    : >"$folder/joined-$3" || exit 1
    if [ -n "$(find "$folder/abandoned" -mmin +2 2>/dev/null)" ] && ! others "$3"; then rm -f "$folder/abandoned"; fi
    if [ -e "$folder/abandoned" ] && ! others "$3"; then
      rm -f "$folder/joined-$3"
      exit 81
    fi
    ;;
  leave)
    : >"$folder/left-$3" || exit 1
    rm -f "$folder/joined-$3"
    # Its maker may still make it, or somebody else has it.
    if [ ! -e "$folder/abandoned" ] || others "$3"; then exit 82; fi
    ;;
  abandon)
    : >"$folder/abandoned" || exit 1
    ! others '' || exit 82
    ;;
esac
