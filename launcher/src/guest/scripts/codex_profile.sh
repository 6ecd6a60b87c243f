# Applies a profile of the secrets: with the program codex-use, else with zsh's function of that name, which login
# shells may have. Runs as the workspace's user.
# $1 profile
# Exits with 80 when there is no codex-use, with 81 when it fails and prints its status=.
set -u
profile=$1
# What it says on stdout is for nobody.
exec 3>&1 >/dev/null </dev/null

if command -v codex-use >/dev/null 2>&1; then
  codex-use "$profile"
elif command -v zsh >/dev/null 2>&1; then
  # The name is an argument from beginning to end; no shell reads it as anything else.
  # shellcheck disable=SC2016 # zsh expands it, not this shell
  missing=$(zsh -lic '
    whence codex-use >/dev/null || { print -u4 missing; exit 1; }
    codex-use "$1" >/dev/null
  ' zsh "$profile" 4>&1 >/dev/null)
  status=$?
  [ "$missing" != missing ] || exit 80
  (exit "$status")
else
  exit 80
fi
status=$?
[ "$status" = 0 ] || { printf 'status=%s\n' "$status" >&3; exit 81; }
