# Prints what exists here and nowhere else, a line each: kind, count or nothing, path, separated by tabs.
# Runs as the workspace's user: what a clone's configuration runs has no more rights than its owner.
# $1 work folder or empty, $2 home or empty: everything in them counts, but for what tools keep in the home's dot
# folders. From $3 on: folders whose clones count.
set -u
work=$1 home=$2
shift 2
LC_ALL=C
export LC_ALL

report() {
  printf '%s\t%s\t%s\n' "$1" "$2" "$3"
}

count_lines() {
  wc -l | tr -d ' '
}

# Answers about any clone, whoever owns it, without its hooks and monitors.
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
    [ -z "$changes" ] || report changes "$(printf '%s\n' "$changes" | count_lines)" "$clone"
  else
    report unchecked '' "$clone"
  fi
  head=
  ! ask "$clone" rev-parse --verify --quiet HEAD >/dev/null || head=HEAD
  # Tags, and what was checked out as a tag or commit, exist on the host too, though on no branch: the clone wrote
  # their commits down.
  # shellcheck disable=SC2086 # no word at all when there is no commit yet
  commits=$(
    sed -n 's/^\([0-9a-f]\{40,64\}\)$/^\1/p' "$clone/.git/agent-workspace-fetched" 2>/dev/null |
      ask "$clone" rev-list --count --ignore-missing --stdin $head --branches --tags --not --remotes
  ) || commits=
  case $commits in
    0) ;;
    '') report unchecked '' "$clone" ;;
    *) report commits "$commits" "$clone" ;;
  esac
  stashes=$(ask "$clone" stash list | count_lines)
  [ "$stashes" = 0 ] || report stashes "$stashes" "$clone"
}

# A half clone of ours is nobody's work; its name is ours to the last letter.
ours='.clone-[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]'

# Looks at every clone under the folders given.
look_under() {
  found=$(find "$@" -name "$ours" -prune -o -name .git -print -prune 2>/dev/null) || report unchecked '' "$1"
  printf '%s\n' "$found" | while IFS= read -r git_dir; do
    [ -z "$git_dir" ] || look_at "${git_dir%/.git}"
  done
}

# Reports files under a folder that no clone holds. The search ends with the first ones: one is enough to refuse.
loose() {
  files=$(find "$1" -mindepth 1 \( -type d \( -name "$ours" -o -exec test -e '{}/.git' \; \) -prune \) \
    -o \( ! -type d ! -name "$ours.pid" -print \) 2>/dev/null | head -n 100)
  [ -n "$files" ] || return 0
  files_count=$(printf '%s\n' "$files" | count_lines)
  if [ "$files_count" = 1 ]; then report files 1 "$files"; else report files "$files_count" "$2"; fi
}

for folder in "$@"; do
  [ ! -d "$folder" ] || look_under "$folder"
done
if [ -n "$work" ]; then
  look_under "$work"
  loose "$work" "$work"
fi
if [ -n "$home" ]; then
  for entry in "$home"/* "$home"/.[!.]*; do
    [ -e "$entry" ] || continue
    case ${entry##*/} in
      .cache | .cargo | .rustup | .npm | .local | .vscode | .vscode-cli | .vscode-server | .agents-env) ;;
      .*) [ ! -d "$entry" ] || look_under "$entry" 2>/dev/null ;;
      *)
        if [ ! -d "$entry" ]; then
          report files 1 "$entry"
        else
          look_under "$entry"
          [ -e "$entry/.git" ] || loose "$entry" "$entry"
        fi
        ;;
    esac
  done
fi
exit 0
