# Prints what exists here and nowhere else, a line each: kind, count or nothing, path, separated by tabs.
# Runs as the workspace's user: what a clone's configuration runs has no more rights than its owner.
# $1 work folder or empty, $2 home or empty: everything in them counts, but for what tools keep in the home's dot
# folders. $3 where a folder of the host is mounted or empty, $4 `beside` when this looks at volumes and not at all that
# the workspace has. From $5 on: folders whose clones count.
# shellcheck disable=SC2317 # what is called by name is reachable
set -u
work=$1 home=$2 secrets=${3%/} beside=$4
shift 4
LC_ALL=C
GIT_NO_REPLACE_OBJECTS=1
export LC_ALL GIT_NO_REPLACE_OBJECTS
# What an image sets for its own git leads away from what is looked at.
unset GIT_DIR GIT_WORK_TREE GIT_COMMON_DIR GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES \
  GIT_NAMESPACE GIT_SHALLOW_FILE GIT_GRAFT_FILE GIT_CEILING_DIRECTORIES GIT_CONFIG_PARAMETERS GIT_CONFIG_COUNT
line_end='
'
tab=$(printf '\t')

# What is mounted from the host is not the workspace's and does not go with it; but only where it really is mounted, and
# never what holds the work.
mounted_here=
if [ -n "$secrets" ]; then
  while read -r _ _ _ _ mounted _; do
    # The kernel writes spaces as \040.
    [ "$(printf '%b' "$mounted")" != "$secrets" ] || mounted_here=$secrets
  done </proc/self/mountinfo
  for folder in "$work" "$home" "$@"; do
    case $folder/ in "$secrets"/*) mounted_here= ;; esac
  done
fi
secrets=$mounted_here
# As a pattern of find that means nothing else; none matches nothing.
not_ours=$(printf '%s' "$secrets" | sed 's/[][*?\\]/\\&/g')

# What is seen from beside the workspace too. Anything else is as its image has it there, whatever the workspace has made
# of it.
kept=/work$line_end/home/agent
for folder in "$work" "$home" "$@"; do
  [ -n "$folder" ] || continue
  kept=$kept$line_end${folder%/}
  if real=$(cd -P "$folder" 2>/dev/null && pwd -P); then kept=$kept$line_end$real; fi
done
is_kept() {
  case $1/ in */../*) return 1 ;; esac
  while IFS= read -r above; do
    case $1/ in "$above"/*) return 0 ;; esac
  done <<KEPT
$kept
KEPT
  return 1
}

# Whether a folder can be listed, or is not there. One that cannot looks as if it were empty.
can_list() {
  if [ -e "$1" ]; then
    (cd "$1" && ls -A) >/dev/null 2>&1
  else
    [ ! -e "${1%/*}" ] || [ -x "${1%/*}" ]
  fi
}

# A path with a line end would be read as two: what is told is the folder above.
report() {
  case $3 in
    *"$line_end"*)
      above=${3%%"$line_end"*}
      printf 'unchecked\t\t%s\n' "${above%/*}"
      ;;
    *) printf '%s\t%s\t%s\n' "$1" "$2" "$3" ;;
  esac
}

count_lines() {
  wc -l | tr -d ' '
}

# Answers about any clone, whoever owns it, without its hooks and monitors and what its user wants to ignore.
git_on() {
  git -c safe.directory='*' -c core.fsmonitor=false -c core.hooksPath=/dev/null -c core.excludesFile=/dev/null \
    --no-optional-locks "$@" 2>/dev/null
}
ask() { git_on -C "$@"; }

# Whether what is at a URL is on another machine, and not a path, a file or a program that may be right here.
is_network() {
  case $1 in
    [Ff][Ii][Ll][Ee]://*) return 1 ;;
    *://*) case ${1%%://*} in '' | *[!A-Za-z0-9+.-]*) ;; *) return 0 ;; esac ;;
  esac
  case $1 in *::*) return 1 ;; esac
  # host:path, as ssh takes it.
  case ${1%%:*} in "$1" | '' | */*) return 1 ;; esac
}

# From `git remote -v`: the remotes all of whose URLs are elsewhere, as arguments of rev-list.
elsewhere() {
  there=' ' here=' '
  while IFS=$tab read -r remote url; do
    # A name that is a pattern stands for others too.
    case $remote in '' | *[][*?\\' ']*) continue ;; esac
    if is_network "${url% (*}"; then there="$there$remote "; else here="$here$remote "; fi
  done
  for remote in $there; do
    case $here in *" $remote "*) ;; *) printf ' --remotes=%s' "$remote" ;; esac
  done
}

# count_history PATH COMMON ARG...: reports commits and stashes of a repository that ARG leads git to.
count_history() {
  where=$1 shared=$2
  shift 2
  remotes=$(git_on "$@" remote -v | elsewhere)
  # Tags, and what was checked out as a tag or commit, exist on the host too, though on no branch: the clone wrote
  # their commits down.
  # shellcheck disable=SC2086 # a word for each remote
  commits=$(
    sed -n 's/^\([0-9a-f]\{40,64\}\)$/^\1/p' "$shared/agent-workspace-fetched" 2>/dev/null |
      git_on "$@" rev-list --count --ignore-missing --stdin --exclude=refs/stash --exclude='refs/prefetch/*' --all \
        --not $remotes
  ) || commits=
  case $commits in
    0) ;;
    '') report unchecked '' "$where" ;;
    *) report commits "$commits" "$where" ;;
  esac
  [ -e "$shared/logs/refs/stash" ] || git_on "$@" rev-parse -q --verify refs/stash >/dev/null || return 0
  stashes=$(git_on "$@" stash list | count_lines)
  [ "$stashes" != 0 ] || ! git_on "$@" rev-parse -q --verify refs/stash >/dev/null || stashes=1
  [ "$stashes" = 0 ] || report stashes "$stashes" "$where"
}

# Prints how many of the files that status is told to pass over are there and not as they are in the index.
hidden_changes() {
  # A line end in a name becomes a byte that no name has; such a file counts as it is.
  marked=$(ask "$1" ls-files -v -s -z | tr '\n\0' '\001\n' | grep '^[Sa-z] ')
  different=0 paths='' ids=''
  while IFS=$tab read -r entry path; do
    file=$1/$path
    case $entry in '' | ?' 160000 '*) continue ;; esac
    case $path in
      *"$(printf '\001')"*) different=$((different + 1)) && continue ;;
    esac
    if [ ! -e "$file" ] && [ ! -L "$file" ]; then
      # What a sparse checkout leaves out is not deleted.
      case $entry in [Ss]*) ;; *) different=$((different + 1)) ;; esac
      continue
    fi
    mode=${entry#? } id=${entry#? ?????? }
    mode=${mode%% *} id=${id%% *}
    case $mode in
      120000)
        [ -L "$file" ] && [ "$(readlink "$file" | tr -d '\n' | ask "$1" hash-object --stdin)" = "$id" ] ||
          different=$((different + 1))
        ;;
      *)
        executable=100644
        [ ! -x "$file" ] || executable=100755
        if [ -L "$file" ] || [ ! -f "$file" ] || [ "$mode" != "$executable" ]; then
          different=$((different + 1))
        else
          paths=$paths$path$line_end ids="$ids $id"
        fi
        ;;
    esac
  done <<MARKED
$marked
MARKED
  if [ -n "$ids" ]; then
    # shellcheck disable=SC2086 # ids
    set -- "$1" $ids
    clone_here=$1
    shift
    for id in $(printf '%s' "$paths" | ask "$clone_here" hash-object --stdin-paths); do
      [ "$1" = "$id" ] || different=$((different + 1))
      shift
    done
    # Those that could not be read.
    different=$((different + $#))
  fi
  printf '%s\n' "$different"
}

# Folders and repositories that were looked at, and those whose modules are still to be, each in a line.
seen=$line_end repositories=$line_end histories=$line_end

look_at() {
  clone=$1
  real=$(cd "$clone" 2>/dev/null && pwd -P) || real=$clone
  case $seen in *"$line_end$real$line_end"*) return ;; esac
  seen=$seen$real$line_end
  if ! command -v git >/dev/null 2>&1 ||
    ! places=$(ask "$clone" rev-parse --show-toplevel --absolute-git-dir --git-common-dir); then
    report unchecked '' "$clone"
    return
  fi
  top=${places%%"$line_end"*} common=${places##*"$line_end"}
  git_dir=${places#*"$line_end"}
  git_dir=${git_dir%%"$line_end"*}
  # Git looks at another folder, or answers for the one around this, or for what the image has.
  if [ "$top" != "$real" ] || ! common=$(cd "$clone" && cd "$common" && pwd -P) ||
    ! is_all_here "$git_dir" "$common"; then
    report unchecked '' "$clone"
    return
  fi
  repositories=$repositories$git_dir$line_end
  if changes=$(ask "$clone" status --porcelain --untracked-files=normal --ignore-submodules=dirty); then
    tracked=$(printf '%s\n' "$changes" | grep -c '^[^?]')
    untracked=$(printf '%s\n' "$changes" | grep -c '^?')
    tracked=$((tracked + $(hidden_changes "$clone")))
    [ "$tracked" = 0 ] || report changes "$tracked" "$clone"
    [ "$untracked" = 0 ] || report untracked "$untracked" "$clone"
  else
    report unchecked '' "$clone"
  fi
  count_history "$clone" "$common" -C "$clone"
  case $histories in *"$line_end$common$line_end"*) return ;; esac
  histories=$histories$common$line_end
  look_at_worktrees "$common"
}

# Whether a repository, its own folder and the common one, is as the workspace has it and not as the image has.
is_all_here() {
  [ -n "$beside" ] || return 0
  for part in "$1" "$2" "$1/HEAD" "$2/refs" "$2/packed-refs"; do
    if [ -L "$part" ]; then part=$(readlink -f "$part"); fi
    is_kept "$part" || return 1
  done
}

# The worktrees of a repository, wherever they are, and the one it is in.
look_at_worktrees() {
  case $1 in */.git) trees=$1 ;; *) trees= ;; esac
  for linked in "$1"/worktrees/*/gitdir; do
    [ -e "$linked" ] || continue
    tree=$(cat "$linked")
    case $tree in /*) ;; *) tree=${linked%/*}/$tree ;; esac
    if real=$(cd -P "${tree%/*}" 2>/dev/null && pwd -P); then tree=$real/${tree##*/}; fi
    case $tree in
      *"$line_end"*) report unchecked '' "$tree" ;;
      *) trees=$trees$line_end$tree ;;
    esac
  done
  each_line "$trees" look_at_worktree
}

look_at_worktree() {
  if [ -n "$beside" ] && ! is_kept "$1"; then
    # It is in the workspace's own files, which cannot be seen from here.
    report unchecked '' "${1%/.git}"
  elif [ -e "$1" ]; then
    look_at "${1%/.git}"
  fi
}

# What is left of modules that are checked out nowhere.
look_at_modules() {
  [ -d "$1/modules" ] || return 0
  each_line "$(find "$1/modules" -name objects -prune -o -name HEAD -type f -print 2>/dev/null)" look_at_module
}

look_at_module() {
  module=${1%/HEAD}
  { [ -d "$module/objects" ] && [ -d "$module/refs" ]; } || return 0
  module=$(cd "$module" && pwd -P) || return 0
  case $repositories in *"$line_end$module$line_end"*) return ;; esac
  count_history "$module" "$module" --git-dir="$module" --work-tree="$module"
}

# each_line LINES COMMAND: with each line that is not empty, in this shell.
each_line() {
  lines=$1 command=$2
  while [ -n "$lines" ]; do
    first=${lines%%"$line_end"*}
    case $lines in *"$line_end"*) lines=${lines#*"$line_end"} ;; *) lines= ;; esac
    [ -z "$first" ] || {
      set -- "$lines" "$command"
      "$command" "$first"
      lines=$1 command=$2
    }
  done
}

# A half clone of ours is nobody's work; its name is ours to the last letter.
ours='.clone-[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]'

# Looks at every clone under the folder given.
look_under() {
  under=$1
  found=$(find "$under" -path "$not_ours" -prune -o -name "$ours" -prune -o -name .git -print -prune 2>/dev/null) ||
    report unchecked '' "$under"
  each_line "$found" look_at_found
}

look_at_found() {
  # What begins or ends otherwise is a part of a path with a line end.
  case $1 in
    "${under%/}"/*/.git | "${under%/}"/.git) look_at "${1%/.git}" ;;
    *) report unchecked '' "$under" ;;
  esac
}

# Reports files under a folder that no clone holds; pipes, sockets and devices hold nothing. The search ends with the
# first ones: one is enough to refuse.
loose() {
  files=$(find "$1" -mindepth 1 -path "$not_ours" -prune -o \( -type d \( -name "$ours" -o -exec test -e '{}/.git' \; \) -prune \) \
    -o \( \( -type f -o -type l \) ! -name "$ours.pid" -print \) 2>/dev/null | head -n 100)
  [ -n "$files" ] || return 0
  files_count=$(printf '%s\n' "$files" | count_lines)
  if [ "$files_count" = 1 ]; then report files 1 "$files"; else report files "$files_count" "$2"; fi
}

for folder in "$@"; do
  # With the slash, a link stands for what it leads to.
  if [ -d "$folder" ]; then
    look_under "${folder%/}/"
  elif ! can_list "$folder"; then
    report unchecked '' "$folder"
  fi
done
if [ -n "$work" ]; then
  look_under "$work"
  [ -e "$work/.git" ] || loose "$work" "$work"
fi
if [ -n "$home" ]; then
  can_list "$home" || report unchecked '' "$home"
  for entry in "$home"/* "$home"/.[!.]* "$home"/..?*; do
    if [ ! -e "$entry" ] || [ "$entry" = "$secrets" ]; then continue; fi
    case ${entry##*/} in
      .cache | .cargo | .rustup | .npm | .vscode | .vscode-cli | .vscode-server | .agents-env) ;;
      .[!.]*) [ ! -d "$entry" ] || look_under "$entry" 2>/dev/null ;;
      *)
        if [ -d "$entry" ]; then
          look_under "$entry"
          [ -e "$entry/.git" ] || loose "$entry" "$entry"
        elif [ -f "$entry" ] || [ -L "$entry" ]; then
          report files 1 "$entry"
        fi
        ;;
    esac
  done
fi
each_line "$histories" look_at_modules
# Says that nothing is missing: a connection that breaks looks like silence, and silence like nothing to lose.
printf 'end\n'
exit 0
