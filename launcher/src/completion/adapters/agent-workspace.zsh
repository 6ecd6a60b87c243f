# Completion of agent-workspace for zsh 5.8 or later. Use it after compinit with:
#   eval "$(agent-workspace completion zsh)"
# The launcher itself says what may stand where; this only asks it.

# Asks for the word INDEX of the words that follow, and sets the parameters words_found, shown and files of its caller.
# The launcher's path may stand in __agent_workspace_completion_launcher; without it, the one on PATH is asked.
__agent_workspace_completion_ask() {
    emulate -L zsh -o no_aliases -o warn_create_global -o pipe_fail
    local index=$1 tab=$'\t' answer line
    local -a wrapper
    shift
    (( ! ${+functions[agent-workspace]} )) || wrapper=(--wrapper)
    if [[ -n ${__agent_workspace_completion_launcher-} ]]; then
        answer=$("$__agent_workspace_completion_launcher" __complete --shell zsh --index $index $wrapper -- "$@" 2>/dev/null)
    else
        answer=$(command agent-workspace __complete --shell zsh --index $index $wrapper -- "$@" 2>/dev/null)
    fi || return
    for line in ${(f)answer}; do
        if [[ $line == :files ]]; then
            files=yes
        else
            words_found+=("${line%%$tab*}")
            # In the form of _describe, whose first colon parts a word from what it means.
            shown+=("${${line%%$tab*}//:/\\:}:${line#*$tab}")
        fi
    done
}

__agent_workspace_completion() {
    # The completion system has set its own options, and its functions count on them.
    local files='' result=1
    local -a words_found shown typed
    typed=("${(@Q)words[1,CURRENT - 1]}" "${(Q)PREFIX}")
    __agent_workspace_completion_ask $((CURRENT - 1)) "${typed[@]}" || return 1
    if (( ${#words_found} )); then
        _describe -t agent-workspace 'agent-workspace' shown words_found && result=0
    fi
    if [[ -n $files ]]; then
        [[ $PREFIX != --*=* ]] || compset -P 1 '--*='
        _files && result=0
    fi
    return result
}

if (( ${+functions[compdef]} )); then
    compdef __agent_workspace_completion agent-workspace \
        aw awa awac awag awah awc awe awls awm awr awro awrp awrr awrw awsh awt
fi
