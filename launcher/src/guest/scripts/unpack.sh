# Unpacks the tar on stdin into the empty folder $1. Nothing gets another owner, or the rights of its owner when somebody
# else runs it.
# Exits with 82 when the folder is not empty, otherwise as tar does.
set -u
unset TAR_OPTIONS
cd "$1" || exit 2
if [ -n "$(ls -A)" ]; then
  echo "something is in $1 already" >&2
  exit 82
fi
mode=$(stat -c %a .)
# Modes are those of the tar.
umask 0
if tar --version 2>/dev/null | grep -q GNU; then
  tar --no-same-owner --no-same-permissions --no-overwrite-dir -xf - || exit
else
  tar -o -xf - || exit
  find . -type f '(' -perm -4000 -o -perm -2000 ')' -exec chmod ug-s {} + || exit
fi
# The folder itself was there, and some tars take the mark of its group away.
[ "$(stat -c %a .)" = "$mode" ] || chmod "$mode" . || exit
# What is shared with a group is so to the bottom, as if it had been made here.
if [ -g . ] || [ -n "$(getfacl -cd . 2>/dev/null)" ]; then
  find . -mindepth 1 ! -type l -exec chmod g=u,o= {} + || exit
  find . -mindepth 1 -type d -exec chmod g+s {} + || exit
fi
