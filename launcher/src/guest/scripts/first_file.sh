# Says what is in a folder beside half clones of ours. Runs as the workspace's user.
# $1 folder
# Prints file=PATH for the first file found, and end.
set -u
# The name of a half clone is ours to the last letter.
digit='[0-9a-f]'
four=$digit$digit$digit$digit
ours=.clone-$four$four$four$four
find "$1" -name "$ours" -prune -o ! -type d ! -name "$ours.pid" -print 2>/dev/null | sed -n 's/^/file=/p;q'
[ -d "$1" ] && printf 'end\n'
