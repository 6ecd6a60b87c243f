# Writes everything below the folder $1 to stdout, as a tar.
# Exits with 81 when something changed while it was read, otherwise as tar does.
set -u
unset TAR_OPTIONS
cd "$1" || exit 2
if ! tar --version 2>/dev/null | grep -q GNU; then
  exec tar -cf - .
fi
# The form that every tar reads.
tar --format=gnu -cf - .
status=$?
[ "$status" -ne 1 ] || status=81
exit "$status"
