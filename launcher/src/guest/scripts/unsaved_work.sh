# Prints what exists here and nowhere else, a line each: kind, count or nothing, path, separated by tabs.
# Runs as the workspace's user, so that what a clone's configuration runs has no more rights than its owner.
# $1 work folder, where files outside clones count too, or empty; from $2 on: folders whose clones count
set -u
work=$1
shift
LC_ALL=C
export LC_ALL

report() {
  printf '%s\t%s\t%s\n' "$1" "$2" "$3"
}

# Answers about any clone, whoever owns it, without running what it asks to be run.
ask() {
  git -c safe.directory='*' -c core.fsmonitor=false -c core.hooksPath=/dev/null --no-optional-locks -C "$@" 2>/dev/null
}

look_at() {
  clone=$1
  if ! command -v git >/dev/null 2>&1 || ! ask "$clone" rev-parse --git-dir >/dev/null; then
    report unchecked '' "$clone"
    return
  fi
  if changes=$(ask "$clone" status --porcelain --untracked-files=normal); then
    [ -z "$changes" ] || report changes "$(printf '%s\n' "$changes" | wc -l | tr -d ' ')" "$clone"
  elif [ "$(ask "$clone" rev-parse --is-bare-repository)" != true ]; then
    report unchecked '' "$clone"
  fi
  head=
  ! ask "$clone" rev-parse --verify --quiet HEAD >/dev/null || head=HEAD
  # shellcheck disable=SC2086 # no word at all when there is no commit yet
  commits=$(ask "$clone" rev-list --count $head --branches --tags --not --remotes) || commits=
  case $commits in
    0) ;;
    '') report unchecked '' "$clone" ;;
    *) report commits "$commits" "$clone" ;;
  esac
  stashes=$(ask "$clone" stash list | wc -l | tr -d ' ')
  [ "$stashes" = 0 ] || report stashes "$stashes" "$clone"
}

# Every clone under a folder: what holds a .git.
clones() {
  find "$1" -name node_modules -prune -o -name .cache -prune -o -name '.clone-*' -prune -o -name .git -print -prune
}

for folder in "$@"; do
  [ -d "$folder" ] || continue
  if found=$(clones "$folder" 2>/dev/null); then :; elif [ "$folder" = "$work" ]; then
    # A folder in the home that is closed to its user holds nothing of theirs; one in the work folder may.
    report unchecked '' "$folder"
  fi
  printf '%s\n' "$found" | while IFS= read -r git_dir; do
    [ -z "$git_dir" ] || look_at "${git_dir%/.git}"
  done
done

[ -n "$work" ] || exit 0
# Files in the work folder that no clone holds. The search ends with the first ones: one is enough to refuse.
loose=$(find "$work" -mindepth 1 \( -type d \( -name '.clone-*' -o -exec test -e '{}/.git' \; \) -prune \) \
  -o \( ! -type d -print \) 2>/dev/null | grep -v '/\.clone-[0-9a-f]*\.pid$' | head -n 100)
if [ -n "$loose" ]; then
  count=$(printf '%s\n' "$loose" | wc -l | tr -d ' ')
  if [ "$count" = 1 ]; then report files 1 "$loose"; else report files "$count" "$work"; fi
fi
exit 0
