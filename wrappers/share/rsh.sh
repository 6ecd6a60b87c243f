# The remote shell of rsync: instead of logging in somewhere it runs rsync's other half in the workspace.
# AGENT_WORKSPACE_RSH has the words that lead inside, a line each; AGENT_WORKSPACE_RSH_QUOTING how words are appended.

# What rsync says first is for ssh: its options, then the host.
while [ $# -gt 0 ]; do
    case $1 in
        -l) shift 2 ;;
        -*) shift ;;
        *) break ;;
    esac
done
shift

# One word of a shell on the other side, whatever is in it.
quoted() {
    rest=$1
    printf "'"
    while :; do
        case $rest in
            *\'*)
                printf '%s' "${rest%%\'*}'\\''"
                rest=${rest#*\'}
                ;;
            *) break ;;
        esac
    done
    printf "%s'" "$rest"
}

if [ "${AGENT_WORKSPACE_RSH_QUOTING:-argv}" != argv ]; then
    line=
    for word; do
        line="$line${line:+ }$(quoted "$word")"
    done
    set -- "$line"
fi

# The words come before the command, so they are put in front from the last to the first.
words=$AGENT_WORKSPACE_RSH
newline='
'
while [ -n "$words" ]; do
    word=${words##*"$newline"}
    words=${words%"$word"}
    words=${words%"$newline"}
    set -- "$word" "$@"
done
exec "$@"
