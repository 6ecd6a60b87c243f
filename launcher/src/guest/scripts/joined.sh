# Who has come back to a workspace while the create that makes it may still fail.
# $1 join|leave|abandon  $2 folder of the marks  $3 id of the call
# Each side writes its own word first and reads the other's after, so that one of them always sees the other.
# The mark of a call that was killed stays, and keeps the workspace: better too much than somebody's work gone.
# Exits with 81 when joining what its maker has abandoned, with 82 when others have it.
# Who abandons removes within a minute. What is there for longer was not removed, and may be used by somebody.
set -u
folder=$2
mkdir -p "$folder" || exit 1

# Whether somebody but the call of this id counts on the workspace. Marks of those who came back and stayed remain.
others() {
  for mark in "$folder"/joined-*; do
    if [ -e "$mark" ] && [ "$mark" != "$folder/joined-$1" ]; then return 0; fi
  done
  return 1
}

case $1 in
  join)
    : >"$folder/joined-$3" || exit 1
    if [ -n "$(find "$folder/abandoned" -mmin +2 2>/dev/null)" ] && ! others "$3"; then rm -f "$folder/abandoned"; fi
    if [ -e "$folder/abandoned" ] && ! others "$3"; then
      rm -f "$folder/joined-$3"
      exit 81
    fi
    ;;
  leave)
    rm -f "$folder/joined-$3"
    # Its maker may still make it, or somebody else has it.
    if [ ! -e "$folder/abandoned" ] || others "$3"; then exit 82; fi
    ;;
  abandon)
    : >"$folder/abandoned" || exit 1
    ! others '' || exit 82
    ;;
esac
