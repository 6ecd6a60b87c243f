# Prints the folders of clones below a folder, one a line, sorted; the folder itself is not one of them.
# Arguments: ROOT DEPTH. Exit code 3 when ROOT is not there.

root=${1%/}
depth=$2

# A folder's name may hold anything; one that a terminal would obey, or that is two lines, is not worth the risk.
# Of the `.git` that are files, those of submodules are left out: they follow the clone around them.
# shellcheck disable=SC2016  # the inner sh expands it
look='
    for git do
        clone=${git%/.git}
        case $clone in
            *[[:cntrl:]]*) continue ;;
        esac
        if [ -f "$git" ]; then
            line=
            IFS= read -r line <"$git" || :
            case $line in
                gitdir:*/.git/modules/* | gitdir:*/.git/worktrees/*/modules/*) continue ;;
            esac
        fi
        printf "%s\n" "$0${clone#.}"
    done'

cd -- "${root:-/}" 2>/dev/null || {
    printf 'agent-workspace: there is no folder %s\n' "${root:-/}" >&2
    exit 3
}
find . -mindepth 2 -maxdepth "$((depth + 1))" -name .git -prune -exec sh -c "$look" "$root" {} + | LC_ALL=C sort
