# Says what is below the folder $1. With a second argument, only by what it is known whether anything has changed since.
# stamp  of names, modes, sizes and times
# sum    of names, kinds, owners' modes, sizes, targets of links and contents, in one order everywhere
# files, bytes, end
# What cannot be read is said on stderr.
set -u
LC_ALL=C
export LC_ALL
cd "$1" || exit 2
for tool in find sort xargs stat readlink sha256sum; do
  command -v "$tool" >/dev/null || {
    echo "$tool is not there" >&2
    exit 2
  }
done
# Sockets are of processes and in no tar.
all() {
  find . -mindepth 1 ! -type s -print0 | sort -z
}
of_kind() {
  find . -mindepth 1 -type "$1" -print0 | sort -z
}
sum() {
  sha256sum | cut -c 1-64
}

echo "stamp=$(all | xargs -0 -r stat -c '%n %f %s %y %z' | sum)"
if [ $# -eq 1 ]; then
  # Some read one link at a time.
  each='-n 1'
  ! readlink --version >/dev/null 2>&1 || each=
  # shellcheck disable=SC2086 # two words or none
  contents=$({
    all
    all | xargs -0 -r stat -c %A | cut -c 1-4 | sed 'y/sS/x-/'
    of_kind f | xargs -0 -r stat -c %s
    of_kind l | xargs -0 -r $each readlink
    of_kind f | xargs -0 -r cat
  } | sum)
  echo "sum=$contents"
  echo "files=$(of_kind f | tr -cd '\0' | wc -c | tr -d ' ')"
  echo "bytes=$(of_kind f | xargs -0 -r stat -c %s | {
    total=0
    while read -r size; do
      total=$((total + size))
    done
    echo "$total"
  })"
fi
echo end
