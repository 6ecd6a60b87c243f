# Packs what exists here and nowhere else into a folder: a bundle and patches for each repository, and the files that no
# repository holds. Proves that they restore, and prints what is in the folder, a line each: kind, bytes, SHA-256, file,
# repository, separated by tabs; `copied` and the path of each repository that is among the files; and at the end how
# many lines.
# A clone's own configuration, hooks and filters are never used: its objects are read through a repository made here.
# $1 the folder, to be made, $2 work folder or empty, $3 home or empty. From $4 on: folders whose clones count.
# Exits with 80 when something cannot be packed or does not restore; the last line of stderr says what.
# shellcheck disable=SC2015,SC2016
# (All of a chain has to hold, or nothing is packed; and the shells that get their words from find read them.)
set -eu
scratch=$1 work=$2 home=$3
shift 3
LC_ALL=C
GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_ATTR_NOSYSTEM=1
GIT_NO_REPLACE_OBJECTS=1 GIT_TERMINAL_PROMPT=0 GIT_OPTIONAL_LOCKS=0
GIT_AUTHOR_NAME=rescue GIT_AUTHOR_EMAIL=rescue GIT_COMMITTER_NAME=rescue GIT_COMMITTER_EMAIL=rescue
export LC_ALL GIT_CONFIG_GLOBAL GIT_CONFIG_SYSTEM GIT_CONFIG_NOSYSTEM GIT_ATTR_NOSYSTEM GIT_NO_REPLACE_OBJECTS \
  GIT_TERMINAL_PROMPT GIT_OPTIONAL_LOCKS GIT_AUTHOR_NAME GIT_AUTHOR_EMAIL GIT_COMMITTER_NAME GIT_COMMITTER_EMAIL
umask 077
# What an image sets for its own git leads away from what is packed.
unset GIT_DIR GIT_WORK_TREE GIT_COMMON_DIR GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES \
  GIT_NAMESPACE GIT_SHALLOW_FILE GIT_GRAFT_FILE GIT_CEILING_DIRECTORIES GIT_CONFIG_PARAMETERS GIT_CONFIG_COUNT \
  XDG_CONFIG_HOME
line_end='
'
tab=$(printf '\t')

give_up() {
  printf '%s\n' "$1" >&2
  exit 80
}

mkdir "$scratch" "$scratch/out" "$scratch/files" || give_up "no scratch folder can be made"
# Older versions of git know only the home.
their_home=${HOME:-/}
HOME=$scratch
export HOME
manifest=$scratch/manifest
: >"$manifest"
: >"$scratch/loose"
number=0

# Enters a file of the folder: its kind, its name, its repository.
enter() {
  sum=$(sha256sum <"$scratch/out/$2") && bytes=$(wc -c <"$scratch/out/$2") || give_up "$2 cannot be read again"
  printf '%s\t%s\t%s\t%s\t%s\n' "$1" "$((bytes))" "${sum%% *}" "$2" "$3" >>"$manifest"
}

# Asks the clone about itself, without its hooks and monitors.
ask() {
  if [ -n "$module" ]; then set -- --git-dir="$clone" --work-tree="$clone" "$@"; fi
  git -c safe.directory='*' -c core.fsmonitor=false -c core.hooksPath=/dev/null -C "$clone" "$@"
}

# Git on the repository made here, on it with another index, and on the clone's files.
# Little compression: what is packed is read again at once.
ours() { GIT_DIR=$repo git -c core.compression=1 "$@"; }
on_index() {
  index=$scratch/$1
  shift
  GIT_DIR=$repo GIT_INDEX_FILE=$index git "$@"
}
files() {
  (cd "$clone" && GIT_DIR=$repo GIT_WORK_TREE=$clone GIT_INDEX_FILE=$scratch/index \
    git -c core.fsmonitor=false -c core.safecrlf=false ${autocrlf:+-c "core.autocrlf=$autocrlf"} ${eol:+-c "core.eol=$eol"} "$@")
}

# A setting of the clone, if it is one of the words given.
setting() {
  value=$(git config --file "$common/config" --get "$1" 2>/dev/null) || return 0
  wanted=" $2 "
  case $wanted in *" $value "*) printf '%s' "$value" ;; esac
}

# Every ref, each stash, where each worktree is, and the commits that an unfinished merge or the like goes by.
collect_refs() {
  ask for-each-ref --format='%(objectname) %(refname)' >"$scratch/refs" 2>"$scratch/said" ||
    give_up "$clone: its refs cannot be read"
  ! grep -q 'broken ref' "$scratch/said" || give_up "$clone: a ref is broken"
  while read -r id ref; do
    # The stash is a ref of which only the log knows all.
    [ "$ref" = refs/stash ] || printf 'create %s %s\n' "$ref" "$id"
  done <"$scratch/refs" >"$scratch/create"
  if ask rev-parse -q --verify refs/stash >/dev/null; then
    ask log -g --format=%H refs/stash -- >"$scratch/stashes" 2>/dev/null || : >"$scratch/stashes"
    [ -s "$scratch/stashes" ] || ask rev-parse refs/stash >"$scratch/stashes"
    place=0
    while read -r id; do
      printf 'create refs/stashes/%s %s\n' "$place" "$id"
      place=$((place + 1))
    done <"$scratch/stashes" >>"$scratch/create"
  fi
  place=0
  for state in "$common/HEAD" "$common"/worktrees/*/HEAD "$gitdir/HEAD" "$gitdir/MERGE_HEAD" \
    "$gitdir/CHERRY_PICK_HEAD" "$gitdir/REVERT_HEAD" "$gitdir/REBASE_HEAD" "$gitdir/ORIG_HEAD"; do
    [ -f "$state" ] || continue
    while read -r id _; do
      case $id in '' | *[!0-9a-f]*) continue ;; esac
      # One that git itself has thrown away is nobody's work.
      ours cat-file -e "$id^{commit}" 2>/dev/null || continue
      printf 'create refs/states/%s-%s %s\n' "$place" "${state##*/}" "$id"
      place=$((place + 1))
    done <"$state" >>"$scratch/create"
  done
  ours update-ref --stdin <"$scratch/create" || give_up "$clone: a ref leads to nothing"
}

# The tree of the files as they are, in `tree`. What git takes for changed or new is taken byte by byte; a folder that is
# a repository of its own is left to itself.
snapshot() {
  mkdir -p "$repo/info"
  : >"$repo/info/attributes"
  if [ -n "$head" ]; then files read-tree "$head"; else files read-tree --empty; fi ||
    give_up "$clone: its last commit cannot be read"
  # Files that a sparse checkout leaves out are not deleted; those that are there all the same are as they are.
  if [ -f "$scratch/theirs" ]; then
    on_index theirs ls-files -t -z |
      xargs -0 sh -c '
        cd "$1" || exit 1
        shift
        for entry; do
          case $entry in "S "*) [ -e "${entry#S }" ] || [ -L "${entry#S }" ] || printf "%s\0" "${entry#S }" ;; esac
        done' sh "$clone" >"$scratch/absent"
    [ ! -s "$scratch/absent" ] || files update-index -q -z --skip-worktree --stdin <"$scratch/absent" 2>/dev/null || :
  fi
  [ ! -f "$common/info/exclude" ] || cp "$common/info/exclude" "$repo/info/exclude"
  files update-index -q --refresh >/dev/null 2>&1 || :
  files diff-files -z --name-only --ignore-submodules=dirty >"$scratch/changed" &&
    files ls-files -z --others --exclude-standard >"$scratch/new" || give_up "$clone: its files cannot be listed"
  cat "$scratch/changed" "$scratch/new" |
    xargs -0 sh -c 'for path; do case $path in */) ;; *) printf "%s\0" "$path" ;; esac; done' sh >"$scratch/paths"
  printf '* -text !eol -filter -ident !working-tree-encoding !diff\n' >"$repo/info/attributes"
  if [ -s "$scratch/paths" ]; then
    files update-index -z --add --remove --replace --stdin <"$scratch/paths" || give_up "$clone: a file cannot be read"
  fi
  tree=$(files write-tree) || give_up "$clone: its files cannot be packed"
}

# What is staged, in `staged`: empty when nothing is that is not in the last commit or in the files.
staged_tree() {
  staged=
  [ -f "$scratch/theirs" ] || return 0
  if [ -n "$(on_index theirs ls-files -u)" ]; then
    # Both sides of a conflict, as a commit; what has none is staged as ever.
    on_index theirs ls-files -s -z | xargs -0 sh -c '
      tab=$(printf "\t")
      for entry; do
        path=${entry#*"$tab"}
        fields=${entry%%"$tab"*}
        stage=${fields##* }
        fields=${fields% *}
        [ "$stage" = 0 ] || path=stage-$stage/$path
        [ "$stage" = 0 ] && into=3 || into=4
        printf "%s\t%s\0" "$fields" "$path" >&"$into"
      done' sh 3>"$scratch/merged" 4>"$scratch/unmerged"
    on_index sides update-index -z --index-info <"$scratch/unmerged" &&
      sides=$(on_index sides write-tree) &&
      sides=$(printf 'both sides of the conflicts in %s\n' "$clone" | ours commit-tree "$sides") &&
      ours update-ref refs/states/conflicts "$sides" &&
      rm -f "$scratch/theirs" &&
      on_index theirs update-index -z --index-info <"$scratch/merged" ||
      give_up "$clone: its conflicts cannot be packed"
  fi
  staged=$(on_index theirs write-tree) || give_up "$clone: what is staged cannot be packed"
  if [ "$staged" = "$base" ] || [ "$staged" = "$tree" ]; then staged=; fi
}

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

# Whether the clone holds commits that no remote has.
has_own_commits() {
  # What its user's settings make of a URL counts, and settings alone run nothing.
  remotes=$(
    unset GIT_CONFIG_GLOBAL GIT_CONFIG_SYSTEM GIT_CONFIG_NOSYSTEM
    HOME=$their_home
    ask remote -v 2>/dev/null | elsewhere
  ) || give_up "$clone: its remotes cannot be read"
  # shellcheck disable=SC2086 # a word for each remote
  own=$(
    sed -n 's/^\([0-9a-f]\{40,64\}\)$/^\1/p' "$common/agent-workspace-fetched" 2>/dev/null |
      ours rev-list -n 1 --ignore-missing --stdin ${head:+"$head"} --exclude='refs/prefetch/*' --all --not $remotes
  ) || give_up "$clone: its commits cannot be read"
  [ -n "$own" ]
}

# write_patch KIND TREE: the way from the last commit to a tree, as a file, and proof that it leads there.
write_patch() {
  ours diff-tree -r -p --binary --full-index --no-renames --no-ext-diff --no-textconv "$base" "$2" \
    >"$scratch/out/$name.$1.patch" || give_up "$clone: its $1 cannot be written"
  rm -f "$scratch/proof"
  there=$(
    export GIT_DIR="$proved" GIT_INDEX_FILE="$scratch/proof"
    if [ -n "$head" ]; then git read-tree "$head"; else git read-tree --empty; fi &&
      git apply --cached --binary --whitespace=nowarn "$scratch/out/$name.$1.patch" && git write-tree
  ) || there=
  [ "$there" = "$2" ] || give_up "$clone: its $1 do not restore"
  enter "$1" "$name.$1.patch" "$clone"
}

# is_under PATH FOLDERS: whether a path is one of some folders, each in a line, or in one. One that goes up again is not.
is_under() {
  case $1/ in */../*) return 1 ;; esac
  while IFS= read -r above; do
    [ -n "$above" ] || continue
    case $1/ in "$above"/*) return 0 ;; esac
  done <<FOLDERS
$2
FOLDERS
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

# What goes with the workspace and can be seen from here. Anything else is as its image has it, whatever the workspace
# has made of it.
kept=/work$line_end/home/agent
for folder in "$work" "$home" "$@"; do
  [ -n "$folder" ] || continue
  can_list "$folder" || give_up "$folder cannot be listed"
  kept=$kept$line_end${folder%/}
  [ ! -d "$folder" ] || kept=$kept$line_end$(cd -P "$folder" && pwd -P)
done

# Where a part of the clone's repository really is, as `part`. A part that is not here, as `missing`, must be nowhere.
find_part() {
  part=$1 missing=
  until [ -d "${part:=/}" ]; do
    [ ! -L "$part" ] || give_up "$clone: its repository is elsewhere, at $(readlink "$part")"
    [ ! -e "$part" ] || give_up "$clone: its repository is at $part, which is no folder"
    missing=/${part##*/}$missing
    part=${part%/*}
  done
  part=$(cd -P "$part" 2>/dev/null && pwd -P) || give_up "$clone: its repository at $1 cannot be entered"
  is_under "${part%/}$missing" "$kept" ||
    give_up "$clone: its repository is on no volume but at ${part%/}$missing"
}

# How cp keeps what a file is. The owner is left out where that can be said: the superuser of a view may give nothing
# away, and then it is no failure that nothing is.
preserve=--preserve=mode,timestamps
: >"$scratch/mine"
cp "$preserve" "$scratch/mine" "$scratch/copy" 2>/dev/null || preserve=-p

# Copies a folder to where it is packed, unless it is there. Pipes, sockets and devices hold nothing.
copied=
copy_folder() {
  ! is_under "$1" "$copied" || return 0
  # What is in it may be there already, and not to be written to.
  mkdir -p "$scratch/files$1" && cp "$preserve" -PRf "$1/." "$scratch/files$1" &&
    find "$scratch/files$1" ! -type f ! -type l ! -type d -exec rm -f {} + ||
    give_up "$clone: git cannot read it, and it cannot be copied"
  copied=$copied$line_end$1
}

# Takes a repository that git cannot read as the files it is, all of it.
copy_repository() {
  copy_folder "$real"
  printf 'copied\t%s\n' "$clone" >>"$manifest"
  next=$clone
  if [ -z "$module" ]; then
    next=$clone/.git
    # A file says where it is.
    if [ -f "$next" ]; then
      next=$(sed -n '1s/^gitdir: //p' "$next")
      case $next in '' | /*) ;; *) next=$clone/$next ;; esac
    fi
  fi
  while [ -n "$next" ]; do
    find_part "$next"
    # It went before, and nothing of it is left to lose.
    [ -z "$missing" ] || break
    if [ -n "$(cd "$part" && find . -path ./hooks -prune -o -type l -print)" ] ||
      [ -s "$part/objects/info/alternates" ]; then
      give_up "$clone: git cannot read it, and $part leads elsewhere"
    fi
    copy_folder "$part"
    seen=$seen$part$line_end next=
    if [ -f "$part/commondir" ]; then
      next=$(cat "$part/commondir")
      case $next in /*) ;; *) next=$part/$next ;; esac
    elif [ -z "$module" ]; then
      case $histories in *"$line_end$part$line_end"*) ;; *) histories=$histories$part$line_end ;; esac
    fi
  done
}

# rescue_repository FOLDER [module]: a folder of files and their repository, or a module's repository alone.
rescue_repository() {
  clone=$1 module=${2:-}
  real=$(cd "$clone" 2>/dev/null && pwd -P) || real=$clone
  case $seen in *"$line_end$real$line_end"*) return 0 ;; esac
  seen=$seen$real$line_end
  printf '%s\n' "packing $clone" >&2
  if ! command -v git >/dev/null 2>&1 || ! gitdir=$(ask rev-parse --absolute-git-dir 2>/dev/null) ||
    ! common=$(ask rev-parse --git-common-dir 2>/dev/null) ||
    ! common=$(cd "$clone" && cd "$common" 2>/dev/null && pwd -P); then
    copy_repository
    return 0
  fi
  # What the image has is not what the workspace has made of it.
  for part in "$gitdir" "$common" "$gitdir/HEAD" "$common/refs" "$common/packed-refs"; do
    if [ -L "$part" ]; then part=$(readlink -f "$part") || part=; fi
    is_under "$part" "$kept" || give_up "$clone: its repository is on no volume but at ${part:-nowhere}"
  done
  if [ -z "$module" ]; then
    top=$(ask rev-parse --show-toplevel 2>/dev/null) || top=
    [ "$top" = "$real" ] || give_up "$clone: its files are elsewhere, by its core.worktree or core.bare"
    real_git=$(cd "$gitdir" && pwd -P) || give_up "$clone: its repository cannot be entered"
    seen=$seen$real_git$line_end
    case $histories in *"$line_end$common$line_end"*) ;; *) histories=$histories$common$line_end ;; esac
  fi
  rm -rf "$scratch/repository" "$scratch/proved" "$scratch/index" "$scratch/theirs" "$scratch/sides" \
    "$scratch/stashes"
  number=$((number + 1))
  name=$(printf '%s' "${clone##*/}" | tr -c 'A-Za-z0-9_' '-' | cut -c 1-60)
  name=$(printf '%03d-%s' "$number" "$name")
  format=$(ask rev-parse --show-object-format 2>/dev/null) || format=sha1
  repo=$scratch/repository/.git proved=$scratch/proved
  git init -q --template= --object-format="$format" "$scratch/repository" || give_up "git cannot make a repository"
  mkdir -p "$repo/objects/info"
  printf '%s\n' "$common/objects" >"$repo/objects/info/alternates"
  [ ! -f "$common/shallow" ] || cp "$common/shallow" "$repo/shallow"
  autocrlf=$(setting core.autocrlf 'true false input') eol=$(setting core.eol 'lf crlf native')
  if [ -f "$gitdir/index" ]; then
    cp "$gitdir/index" "$scratch/theirs"
    for shared in "$gitdir"/sharedindex.*; do
      [ ! -f "$shared" ] || cp "$shared" "$repo/"
    done
  fi
  head=$(ask rev-parse -q --verify 'HEAD^{commit}' 2>/dev/null) || head=
  if [ -z "$head" ] && ask rev-parse -q --verify HEAD >/dev/null 2>&1; then
    give_up "$clone: its last commit cannot be read"
  fi
  if [ -n "$head" ]; then
    base=$(ours rev-parse -q --verify "$head^{tree}") || give_up "$clone: its last commit cannot be read"
  else
    base=$(ours hash-object -t tree -w /dev/null)
  fi
  collect_refs
  if branch=$(ask symbolic-ref -q HEAD 2>/dev/null); then
    ours symbolic-ref HEAD "$branch"
  elif [ -n "$head" ]; then
    ours update-ref --no-deref HEAD "$head"
  fi
  if [ -n "$module" ]; then
    tree=$base staged=
  else
    snapshot
    staged_tree
  fi
  if [ "$tree" = "$base" ] && [ -z "$staged" ] && ! has_own_commits; then
    return 0
  fi
  git init -q --bare --template= --object-format="$format" "$proved" || give_up "git cannot make a repository"
  ours for-each-ref --format='%(objectname) %(refname)' >"$scratch/refs"
  if [ -s "$scratch/refs" ]; then
    ours bundle create -q "$scratch/out/$name.bundle" --all 2>"$scratch/said" || {
      tail -n 1 "$scratch/said" >&2
      give_up "$clone: its commits cannot be packed"
    }
    if [ -f "$repo/shallow" ]; then
      # A bundle does not say where a shallow history ends.
      cp "$repo/shallow" "$scratch/out/$name.shallow"
      cp "$repo/shallow" "$proved/shallow"
      enter shallow "$name.shallow" "$clone"
    fi
    git -c gc.auto=0 -c maintenance.auto=false --git-dir="$proved" fetch -q "$scratch/out/$name.bundle" '+refs/*:refs/*' 2>"$scratch/said" &&
      git --git-dir="$proved" fsck --connectivity-only --no-dangling --no-progress >/dev/null 2>&1 &&
      git --git-dir="$proved" for-each-ref --format='%(objectname) %(refname)' | cmp -s - "$scratch/refs" ||
      give_up "$clone: its bundle does not restore"
    if [ -n "$head" ]; then
      git --git-dir="$proved" cat-file -e "$head^{commit}" || give_up "$clone: its bundle lacks the last commit"
    fi
    enter bundle "$name.bundle" "$clone"
  fi
  [ "$tree" = "$base" ] || write_patch changes "$tree"
  [ -z "$staged" ] || write_patch staged "$staged"
}

# A half clone of ours is nobody's work; its name is ours to the last letter.
half='.clone-[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]'

# Takes every repository under the folders given.
rescue_under() {
  find "$@" -name "$half" -prune -o -name .git -print -prune >"$scratch/found" 2>"$scratch/said" ||
    give_up "a folder cannot be read: $(tail -n 1 "$scratch/said")"
  if [ -n "$(find "$@" -name "$half" -prune -o -name .git -path '*
*' -print -prune)" ]; then
    give_up "a repository under $1 has a line end in its path"
  fi
  depth=$((depth + 1))
  # One that is around another comes first.
  sed 's|/\.git$||' "$scratch/found" >"$scratch/list"
  sort "$scratch/list" >"$scratch/list.$depth"
  while IFS= read -r found <&5; do
    rescue_repository "$found" 5<&-
  done 5<"$scratch/list.$depth"
}
depth=0
# What was taken, and the repositories that it belongs to, each in a line.
seen=$line_end histories=$line_end module=

# Takes the worktrees of every repository, wherever they are, until no more are found; then modules that are checked out
# nowhere.
rescue_the_rest() {
  done_with=$line_end
  while [ "$done_with" != "$histories" ]; do
    common=${histories#"$done_with"}
    common=${common%%"$line_end"*}
    done_with=$done_with$common$line_end
    rescue_worktrees "$common"
  done
  printf '%s' "$done_with" >"$scratch/commons"
  while IFS= read -r common <&6; do
    [ -n "$common" ] && [ -d "$common/modules" ] || continue
    find "$common/modules" -name objects -prune -o -name HEAD -type f -print >"$scratch/modules" 2>"$scratch/said" ||
      give_up "a folder cannot be read: $(tail -n 1 "$scratch/said")"
    while IFS= read -r found <&7; do
      found=${found%/HEAD}
      [ -d "$found/objects" ] && [ -d "$found/refs" ] || continue
      found=$(cd "$found" && pwd -P) || give_up "$found cannot be entered"
      rescue_repository "$found" module 6<&- 7<&-
    done 7<"$scratch/modules"
  done 6<"$scratch/commons"
}

rescue_worktrees() {
  set -- "$1" "$1"/worktrees/*/gitdir
  case $1 in */.git) [ ! -e "$1" ] || rescue_repository "${1%/.git}" ;; esac
  shift
  for linked; do
    [ -e "$linked" ] || continue
    linked_tree=$(cat "$linked")
    case $linked_tree in /*) ;; *) linked_tree=${linked%/*}/$linked_tree ;; esac
    case $linked_tree in *"$line_end"*) give_up "a worktree of ${linked%/worktrees/*} has a line end in its path" ;; esac
    if real=$(cd -P "${linked_tree%/*}" 2>/dev/null && pwd -P); then linked_tree=$real/${linked_tree##*/}; fi
    is_under "$linked_tree" "$kept" ||
      give_up "the worktree ${linked_tree%/.git} is on no volume; move it, or run git worktree prune"
    [ ! -e "$linked_tree" ] || rescue_repository "${linked_tree%/.git}"
  done
}

# Copies files to where they are packed.
copy='
  stage=$1 preserve=$2
  shift 2
  for file; do
    mkdir -p "$stage${file%/*}" && cp "$preserve" -P "$file" "$stage$file" || exit 1
  done'

# Takes the files under a folder that no repository holds.
rescue_loose() {
  find "$1" -mindepth 1 \( -type d \( -name "$half" -o -exec test -e '{}/.git' \; \) -prune \) \
    -o \( \( -type f -o -type l \) ! -name "$half.pid" -print0 \) >"$scratch/list" 2>"$scratch/said" ||
    give_up "a folder cannot be read: $(tail -n 1 "$scratch/said")"
  take_loose
}

# Takes the files that are listed.
take_loose() {
  xargs -0 sh -c "$copy" sh "$scratch/files" "$preserve" <"$scratch/list" 2>"$scratch/said" ||
    give_up "a file cannot be copied: $(tail -n 1 "$scratch/said")"
  cat "$scratch/list" >>"$scratch/loose"
}

for folder in "$@"; do
  # With the slash, a link stands for what it leads to.
  [ ! -d "$folder" ] || rescue_under "${folder%/}/"
done
if [ -n "$work" ] && [ -d "$work" ]; then
  rescue_under "$work"
  [ -e "$work/.git" ] || rescue_loose "$work"
fi
if [ -n "$home" ] && [ -d "$home" ]; then
  for entry in "$home"/* "$home"/.[!.]* "$home"/..?*; do
    [ -e "$entry" ] || [ -L "$entry" ] || continue
    case ${entry##*/} in
      .cache | .cargo | .rustup | .npm | .vscode | .vscode-cli | .vscode-server | .agents-env) ;;
      .[!.]*) if [ -d "$entry" ] && [ ! -L "$entry" ]; then rescue_under "$entry"; fi ;;
      *)
        if [ -d "$entry" ] && [ ! -L "$entry" ]; then
          rescue_under "$entry"
          [ -e "$entry/.git" ] || rescue_loose "$entry"
        elif [ -f "$entry" ] || [ -L "$entry" ]; then
          printf '%s\0' "$entry" >"$scratch/list"
          take_loose
        fi
        ;;
    esac
  done
fi
rescue_the_rest

if [ -n "$(ls -A "$scratch/files")" ]; then
  printf '%s\n' "packing files outside repositories" >&2
  tar -cf "$scratch/out/files.tar" -C "$scratch/files" . || give_up "the files outside repositories cannot be packed"
  # What the archive gives back is compared with where it came from.
  mkdir "$scratch/again"
  tar -xf "$scratch/out/files.tar" -C "$scratch/again" || give_up "the archive of files does not restore"
  (cd "$scratch/files" && find . \( -type f -o -type l \) -print0) >"$scratch/list" &&
    (cd / && cat "$scratch/loose" "$scratch/list" | xargs -0 sh -c '
      again=$1
      shift
      for file; do
        if [ -L "$file" ]; then
          [ -L "$again/$file" ] && [ "$(readlink "$file")" = "$(readlink "$again/$file")" ] || exit 1
        else
          [ -f "$again/$file" ] && cmp -s "$file" "$again/$file" || exit 1
          if [ -x "$file" ]; then [ -x "$again/$file" ] || exit 1; fi
        fi
      done' sh "$scratch/again") || give_up "the archive of files does not restore"
  enter files files.tar ''
fi
cat "$manifest"
printf 'end\t%s\n' "$(wc -l <"$manifest" | tr -d ' ')"
