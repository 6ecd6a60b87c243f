# Who has come back to a workspace while the create that makes it may still fail.
# $1 join|leave|abandon  $2 folder of the marks  $3 id of the call
# Each side writes its own word first and reads the other's after, so that one of them always sees the other.
# Exits with 81 when joining what its maker has abandoned, with 82 when others have it.
set -u
folder=$2
mkdir -p "$folder" || exit 1

others() {
  for mark in "$folder"/joined-*; do
    [ ! -e "$mark" ] || return 0
  done
  return 1
}

case $1 in
  join)
    : >"$folder/joined-$3" || exit 1
    if [ -e "$folder/abandoned" ]; then
      rm -f "$folder/joined-$3"
      exit 81
    fi
    ;;
  leave)
    rm -f "$folder/joined-$3"
    # Its maker may still make it, or somebody else has it.
    if [ ! -e "$folder/abandoned" ] || others; then exit 82; fi
    ;;
  abandon)
    : >"$folder/abandoned" || exit 1
    ! others || exit 82
    ;;
esac
