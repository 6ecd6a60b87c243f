# Makes a clone what its remote has. `look` says what that would lose and touches no file; `reset` does it. Both fetch.
# Arguments: look|reset FOLDER REF. FOLDER may begin with `~/`; REF is REMOTE/BRANCH, or empty for the remote's HEAD.
#
# Prints `ref REMOTE/BRANCH` and `target SHA`; `look` also `changes N`, `untracked N` and `commits N` where not zero.
# An ignored file stays and is not counted, unless the target has something at its place.
# Exit code 3: no clone, or no such ref. 7: the remote cannot be asked, and nothing was touched. 1: git failed.

what=$1
folder=$2
ref=$3
case $folder in
    \~/*) folder=$HOME/${folder#??} ;;
esac

fail() {
    code=$1
    shift
    printf 'agent-workspace: %s\n' "$*" >&2
    exit "$code"
}

# git goes up until it finds a clone, and resetting the clone around a broken one would be a catastrophe.
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
cd -- "$folder" 2>/dev/null || fail 3 "there is no folder $folder"
here=$(pwd -P)
[ -e .git ] || fail 3 "$folder is not a clone"
[ "$(git rev-parse --show-toplevel)" = "$here" ] || fail 3 "$folder is not a clone"

# Nobody is there to answer, and a question would hang.
GIT_TERMINAL_PROMPT=0
export GIT_TERMINAL_PROMPT

# Which remote: the one that REF begins with, else origin, else the only one.
remote=
if [ -n "$ref" ]; then
    for name in $(git remote); do
        case $ref in
            "$name"/?*) [ "${#name}" -le "${#remote}" ] || remote=$name ;;
        esac
    done
    [ -n "$remote" ] || fail 3 "no remote of $folder has $ref"
elif git config --get remote.origin.url >/dev/null; then
    remote=origin
else
    remote=$(git remote)
    case $remote in
        '') fail 3 "$folder has no remote" ;;
        *"
"*) fail 3 "$folder has several remotes and none is called origin" ;;
    esac
fi

git fetch --quiet --prune --no-recurse-submodules -- "$remote" </dev/null ||
    fail 7 "$remote of $folder cannot be fetched"
branch=${ref#"$remote"/}
if [ -z "$branch" ] || [ "$branch" = HEAD ]; then
    git remote set-head "$remote" --auto >/dev/null 2>&1 </dev/null || :
    branch=$(git symbolic-ref --quiet "refs/remotes/$remote/HEAD") || fail 3 "$remote of $folder has no HEAD"
    branch=${branch#"refs/remotes/$remote/"}
fi
ref=refs/remotes/$remote/$branch
target=$(git rev-parse --quiet --verify "$ref^{commit}") || fail 3 "$remote of $folder has no $branch"
printf 'ref %s/%s\ntarget %s\n' "$remote" "$branch" "$target"

# counted WORD LINES: prints WORD and the number of lines, unless there are none.
counted() {
    [ -z "$2" ] || printf '%s %d\n' "$1" "$(printf '%s\n' "$2" | wc -l)"
}

# overwritten: what is ignored here and is in the way of what the target has, for a checkout overwrites that.
overwritten() {
    {
        git -c core.quotePath=false ls-tree -r --name-only "$ref" | sed 's/^/t/'
        git -c core.quotePath=false ls-files --others --ignored --exclude-standard | sed 's/^/i/'
    } | awk '
        { name = substr($0, 2) }
        /^t/ {
            tracked[name] = 1
            while (sub("/[^/]*$", "", name)) folders[name] = 1
            next
        }
        name in tracked || name in folders { print; next }
        {
            whole = name
            while (sub("/[^/]*$", "", name)) {
                if (name in tracked) { print whole; next }
            }
        }'
}

look() {
    # What is inside a submodule stays; that it stands on another commit is a change of this clone.
    lines=$(git status --porcelain --untracked-files=no --ignore-submodules=dirty) || return
    counted changes "$lines"
    # A clone inside this one ends with a slash here, and `clean` leaves it.
    lines=$(git ls-files --others --exclude-standard) || return
    counted untracked "$(printf '%s' "$lines" | grep -v '/$'; overwritten)"
    # What only the branch has that is moved, or a HEAD that is on none. Other branches keep theirs.
    set --
    git symbolic-ref --quiet HEAD >/dev/null || set -- HEAD
    if git rev-parse --quiet --verify "refs/heads/$branch" >/dev/null; then
        set -- "$@" "refs/heads/$branch"
    fi
    if [ $# -gt 0 ]; then
        lines=$(git rev-list "$@" --not --remotes --tags --exclude="$branch" --branches) || return
        counted commits "$lines"
    fi
}

reset() {
    # A rebase that was in the middle would go on in what is no longer its place.
    git rebase --quit >/dev/null 2>&1 || :
    # Before the checkout: what is ignored here may not be in the target, and would be taken for rubbish.
    git clean --quiet -fd || return
    # Hooks are for people's own checkouts, and one that fails would leave this half done. What is in a submodule is not
    # this clone's to reset, whatever the settings say.
    set -- -c core.hooksPath=/dev/null -c submodule.recurse=false
    git "$@" checkout --quiet --force -B "$branch" "$ref" || return
    git "$@" reset --quiet --hard "$ref" || return
    [ ! -e .gitmodules ] || follow
}

# follow: submodules go where the clone wants them. git refuses where that would lose changes of files, but not where it
# would leave commits behind that nothing else names.
follow() {
    # shellcheck disable=SC2016  # git's own shell expands it
    lost=$(
        git submodule --quiet foreach --recursive \
            '[ -n "$(git for-each-ref --count=1 --contains HEAD 2>/dev/null)" ] || printf "%s\n" "$displaypath"' </dev/null
    ) || return
    if [ -n "$lost" ]; then
        printf 'agent-workspace: submodules of %s stay as they are, for commits are on no branch in %s\n' "$folder" \
            "$(printf '%s' "$lost" | tr '\n' ' ' | tr '[:cntrl:]' '?')" >&2
        return 0
    fi
    git -c core.hooksPath=/dev/null submodule --quiet update --recursive </dev/null
}

case $what in
    look) look || fail 1 "$folder could not be looked at" ;;
    reset) reset || fail 1 "$folder could not be reset" ;;
    *) fail 2 'reset_repo takes look or reset' ;;
esac
