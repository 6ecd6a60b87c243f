# Writes stdin to the file where codex keeps its login: whole or not at all, for the user alone.
# Argument: how many bytes there are, as an input that breaks off ends like any other. CODEX_AUTH_FILE names another file.

file=${CODEX_AUTH_FILE:-$HOME/.codex/auth.json}
folder=$(dirname -- "$file")
partial=$file.partial-$$

umask 077
mkdir -p -- "$folder" || exit 1
trap 'rm -f -- "$partial"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
cat >"$partial" || exit 1
if [ ! -s "$partial" ]; then
    echo 'agent-workspace: nothing arrived, so the login was left as it is' >&2
    exit 1
fi
if [ "$(($(wc -c <"$partial")))" != "$1" ]; then
    echo 'agent-workspace: only a part arrived, so the login was left as it is' >&2
    exit 1
fi
# A rename takes the place of a link too, so that what a link points to is never written to.
mv -f -- "$partial" "$file"
