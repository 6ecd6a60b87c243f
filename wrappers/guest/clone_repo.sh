# Clones a repository into a folder: whole or not at all. Prints `cloned`, or `present` when a clone is there.
# Arguments: URL FOLDER. Exit code 4 when something else is there, also another clone; 1 when it cannot be cloned.

url=$1
folder=$2
partial=$folder.partial-$$

# address URL: HOST/PATH of a repository, so that two spellings of one are the same.
address() {
    rest=$1
    case $rest in
        /* | ./* | ../*) ;;
        *://*) rest=${rest#*://} ;;
        *:*) rest=${rest%%:*}/${rest#*:} ;;
    esac
    case ${rest%%/*} in
        *@*) rest=${rest#*@} ;;
    esac
    rest=${rest%/}
    printf '%s\n' "${rest%.git}" | tr '[:upper:]' '[:lower:]'
}

# another: whether the clone that is there is of another repository than the one that is wanted.
another() {
    there=$(git -C "$folder" config --get remote.origin.url)
    [ "$(address "$there")" != "$(address "$url")" ] || return 1
    # What the address is stays unsaid: it may hold a password.
    printf 'agent-workspace: %s is a clone of another repository\n' "$folder" >&2
}

if [ -e "$folder/.git" ]; then
    ! another || exit 4
    echo present
    exit 0
fi
# An empty folder is in nobody's way.
if [ -d "$folder" ] && [ ! -L "$folder" ]; then
    rmdir -- "$folder" 2>/dev/null
fi
if [ -e "$folder" ] || [ -L "$folder" ]; then
    printf 'agent-workspace: %s is there and is not a clone\n' "$folder" >&2
    exit 4
fi

# Nobody is there to answer, and a question would hang.
GIT_TERMINAL_PROMPT=0
export GIT_TERMINAL_PROMPT
parent=$(dirname -- "$folder")
made=
[ -d "$parent" ] || made=$parent
# The folder of an owner that this has made is left only when there is something in it.
trap 'rm -rf -- "$partial"; [ -z "$made" ] || rmdir -- "$made" 2>/dev/null' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
mkdir -p -- "$parent" || exit 1
git clone --quiet -- "$url" "$partial" </dev/null || exit 1
mv -- "$partial" "$folder" || exit 1
echo cloned
