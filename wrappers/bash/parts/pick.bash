# Which workspace is meant, and the way into it. Both are read from the launcher's documents.
# The functions use and set variables of their caller, which declares them: launcher, document, full, folder,
# exec_words, tty_words and quoting.
# shellcheck disable=SC2034,SC2154  # variables of other parts, and of callers

# field POINTER: one value of $document; 1 when there is none.
__agent_workspace_field() {
    REPLY=$(builtin printf '%s\n' "$document" | "$launcher" field "$1")
}

# pick [NAME]: a name as it is, else that of the only workspace.
__agent_workspace_pick() {
    local document first row
    local index=0
    if (( $# > 0 )); then
        REPLY=$1
        return 0
    fi
    document=$("$launcher" ls --output json </dev/null) || return
    if ! __agent_workspace_field /workspaces/0/workspace; then
        __agent_workspace_say 'there is no workspace'
        __agent_workspace_hint 'agent-workspace create OWNER/REPO'
        return 3
    fi
    first=$REPLY
    if ! __agent_workspace_field /workspaces/1/workspace; then
        REPLY=$first
        return 0
    fi
    __agent_workspace_say 'several workspaces are there; name one:'
    while __agent_workspace_field "/workspaces/$index/workspace"; do
        row="  $REPLY"
        __agent_workspace_field "/workspaces/$index/status"
        row+="  $REPLY"
        __agent_workspace_field "/workspaces/$index/repo"
        row+=${REPLY:+  $REPLY}
        __agent_workspace_print '%s\n' "$row" >&2
        index=$(( index + 1 ))
    done
    return 2
}

# way: reads from $document how to get in.
__agent_workspace_way() {
    local word
    exec_words=()
    tty_words=()
    while IFS= builtin read -r -d '' word; do
        exec_words+=("$word")
    done < <(builtin printf '%s\n' "$document" | "$launcher" field -0 /transport/exec)
    while IFS= builtin read -r -d '' word; do
        tty_words+=("$word")
    done < <(builtin printf '%s\n' "$document" | "$launcher" field -0 /transport/tty)
    if (( ${#exec_words[@]} == 0 || ${#tty_words[@]} == 0 )) || ! __agent_workspace_field /transport/quoting; then
        __agent_workspace_say 'the launcher does not say how to get in'
        return 1
    fi
    quoting=$REPLY
}

# describe NAME [FLAG...]: what the workspace is, into $document and $full.
__agent_workspace_describe() {
    document=$("$launcher" describe "$@" --output json </dev/null) || return
    __agent_workspace_field /workspace/workspace || return
    full=$REPLY
}

# enter NAME [FLAG...]: the way into a workspace; one that does not run is started.
__agent_workspace_enter() {
    __agent_workspace_describe "$@" || return
    # Empty when the launcher does not know.
    __agent_workspace_field /workspace/path
    folder=$REPLY
    __agent_workspace_way || return
    __agent_workspace_field /workspace/status
    [[ $REPLY == running ]] || "$launcher" start "$full" </dev/null >&2
}

# quote WORD: one word of a shell, whatever is in it.
__agent_workspace_quote() {
    local rest=$1 quoted="'"
    while [[ $rest == *"'"* ]]; do
        quoted+=${rest%%"'"*}"'\\''"
        rest=${rest#*"'"}
    done
    REPLY=$quoted$rest"'"
}

# inside exec|tty WORD...: runs a command in the workspace, with the words as they are.
__agent_workspace_inside() {
    local how=$1 word line=''
    local -a way
    shift
    way=(${exec_words[@]+"${exec_words[@]}"})
    [[ $how == exec ]] || way=(${tty_words[@]+"${tty_words[@]}"})
    if [[ $quoting != argv ]]; then
        for word in "$@"; do
            __agent_workspace_quote "$word"
            line+=${line:+ }$REPLY
        done
        set -- "$line"
    fi
    command ${way[@]+"${way[@]}"} "$@"
}

# guest SCRIPT ARGUMENT...: runs guest/SCRIPT.sh in the workspace. stdin is the script's.
__agent_workspace_guest() {
    local script=$1 REPLY
    shift
    __agent_workspace_shared "guest/$script.sh" || return
    __agent_workspace_inside exec sh -c "$REPLY" "$script" "$@"
}
