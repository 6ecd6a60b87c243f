# A workspace's life in a shell that has no JSON parser: exit codes, and values read with `field`.
# Wants LAUNCHER, IMAGE and NETWORK.
set -u

launcher() { "$LAUNCHER" --quiet --output json "$@"; }

# value POINTER: of the document in $answer.
value() { printf '%s\n' "$answer" | "$LAUNCHER" field "$1"; }

answer=$(launcher create acme/hello --name script --image "$IMAGE" --network "$NETWORK") || exit 1
workspace=$(value /workspace)
echo "made $workspace with $(value /repo) in $(value /path)"

# The words of a command go behind the words of the transport, each on a line of its own here.
set --
while IFS= read -r word; do
    set -- "$@" "$word"
done <<WORDS
$(value /transport/exec)
WORDS
echo "on branch $("$@" git branch --show-current)"

answer=$(launcher stop "$workspace") && echo "$(value /status), changed: $(value /changed)"
answer=$(launcher stop "$workspace") && echo "$(value /status), changed: $(value /changed)"
answer=$(launcher start "$workspace") && echo "$(value /status), changed: $(value /changed)"

"$@" sh -c 'echo work >notes.txt'
answer=$(launcher rm "$workspace")
echo "exit $?: $(value /error/code), $(value /error/details/unsaved/0/kind) in $(value /error/details/unsaved/0/path)"
"$@" rm notes.txt
answer=$(launcher rm "$workspace") && echo "removed: $(value /changed)"
answer=$(launcher rm "$workspace")
echo "exit $?: $(value /error/code)"
value /tunnel || echo 'no tunnel'
