# Ends a clone that was interrupted and removes what it left half done.
# $1 destination  $2 id
# Prints result=aborted when there was anything.
set -u
parent=${1%/*}
partial=$parent/.clone-$2
[ -e "$partial" ] || [ -e "$partial.pid" ] || exit 0
printf 'result=aborted\n'
if [ -r "$partial.pid" ]; then
  read -r pid _ <"$partial.pid"
  kill -TERM "$pid" 2>/dev/null
  # Its own cleaning takes a moment.
  tries=0
  while kill -0 "$pid" 2>/dev/null && [ "$tries" -lt 50 ]; do
    tries=$((tries + 1))
    sleep 0.1 2>/dev/null || sleep 1
  done
fi
rm -rf "$partial" "$partial.pid"
