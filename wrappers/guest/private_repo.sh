# Brings the private repository to ~/.private: a clone, or what is new when a clone is there.
# Argument: URL. Prints `cloned` or `pulled`. Exit code 4 when something else is there, also another clone; 1 when git
# fails.

url=$1
folder=$HOME/.private
partial=$folder.partial-$$
kit=/opt/zsh-kit

# Nobody is there to answer, and a question would hang.
GIT_TERMINAL_PROMPT=0
export GIT_TERMINAL_PROMPT

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
    git -C "$folder" pull --quiet --ff-only </dev/null || exit 1
    done=pulled
else
    # An empty folder is in nobody's way.
    if [ -d "$folder" ] && [ ! -L "$folder" ]; then
        rmdir -- "$folder" 2>/dev/null
    fi
    if [ -e "$folder" ] || [ -L "$folder" ]; then
        printf 'agent-workspace: %s is there and is not a clone\n' "$folder" >&2
        exit 4
    fi
    trap 'rm -rf -- "$partial"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    git clone --quiet -- "$url" "$partial" </dev/null || exit 1
    mv -- "$partial" "$folder" || exit 1
    done=cloned
fi

# The kit of the image looks for it in its own folder. What stands there already, and is no link, is somebody's.
link=$kit/.private
if [ -d "$kit" ] && { [ -L "$link" ] || [ ! -e "$link" ]; }; then
    ln -sfn -- "$folder" "$link" || printf 'agent-workspace: %s could not be linked to %s\n' "$link" "$folder" >&2
fi
echo "$done"
