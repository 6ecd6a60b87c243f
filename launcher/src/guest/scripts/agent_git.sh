# Lets git trust the clones in these folders, whoever owns them. Runs as the agent.
# $@ the work folders of the workspaces that it may enter
# Prints changed=yes|no and `end` last.
set -eu
umask 077
LC_ALL=C
export LC_ALL
file=$HOME/.agents-env/gitconfig
changed=no
line_end='
'
mkdir -p "${file%/*}"
new=$file.new
echo '# agent-workspace writes this file whole; what else is written here is lost.' >"$new"
for work in "$@"; do
  # Newer gits take the last one for everything below; older ones want each clone.
  {
    printf '%s\n%s\n' "$work" "$work/*"
    # What has a line end in its name would be read as two, and the second as anything that somebody likes, "/*" too.
    find "$work" -maxdepth 4 -name "*$line_end*" -prune -o \
      -type d -exec test -e '{}/.git' \; -prune -print 2>/dev/null || true
  } | sort -u
done | while IFS= read -r folder; do
  case $folder in /*) git config --file "$new" --add safe.directory "$folder" ;; esac
done
if cmp -s "$new" "$file"; then
  rm -f "$new"
else
  mv -f "$new" "$file"
  changed=yes
fi
# shellcheck disable=SC2088 # git expands it
include='~/.agents-env/gitconfig'
if ! git config --global --get-all include.path 2>/dev/null | grep -Fqx -- "$include"; then
  git config --global --add include.path "$include"
  changed=yes
fi
printf 'changed=%s\nend\n' "$changed"
