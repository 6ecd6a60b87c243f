# Runs the command that puts dotfiles in their places, unless it has done so with this command and commit. Runs as the
# agent.
# $1 the clone  $2 the command
# Prints changed=yes|no and `end` last. Own status: see users.rs.
set -eu
cd "$1"
installed=$HOME/.agents-env/dotfiles-installed
now="$(git rev-parse HEAD) $2"
if [ "$(cat "$installed" 2>/dev/null)" = "$now" ]; then
  printf 'changed=no\nend\n'
  exit 0
fi
sh -c "$2" agent-workspace </dev/null >&2 || exit 86
mkdir -p "${installed%/*}"
printf '%s\n' "$now" >"$installed.new"
mv -f "$installed.new" "$installed"
printf 'changed=yes\nend\n'
