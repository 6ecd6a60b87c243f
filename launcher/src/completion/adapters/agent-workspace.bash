# Completion of agent-workspace for bash 3.2 or later. Use it with:  eval "$(agent-workspace completion bash)"
# The launcher itself says what may stand where; this only asks it. Backslashes keep aliases of these words away.

# The launcher's path may stand in __agent_workspace_completion_launcher; without it, the one on PATH is asked.
__agent_workspace_completion_ask() {
    if [[ -n ${__agent_workspace_completion_launcher-} ]]; then
        "$__agent_workspace_completion_launcher" __complete --shell bash "$@" 2>/dev/null
    else
        \command agent-workspace __complete --shell bash "$@" 2>/dev/null
    fi
}

__agent_workspace_completion() {
    \local IFS tab rest place index word apart answer current before flag files
    \local -a words found wrapper
    # Not in one with the above: behind a backslash those are plain arguments, which are split into words.
    IFS=$' \t\n' tab=$'\t' rest=${COMP_LINE:0:COMP_POINT} place=0 index=-1 before='' flag='' files=''
    words=() found=() wrapper=()
    # Depending on its version, bash cuts words at = and : too. What was typed without a space between is one word.
    while ((place <= COMP_CWORD)); do
        word=${COMP_WORDS[place]-} apart=
        while [[ $rest == [[:space:]]* ]]; do
            rest=${rest#?} apart=yes
        done
        if ((place == COMP_CWORD)); then
            # Only what stands before the cursor counts.
            word=$rest
        elif [[ $rest == "$word"* ]]; then
            rest=${rest#"$word"}
        else
            # The line does not begin with its words: they are taken as they are.
            apart=yes
        fi
        if ((index < 0)) || [[ -n $apart ]]; then
            index=$((index + 1))
            words[index]=
        fi
        words[index]=${words[index]}$word
        place=$((place + 1))
    done
    # Quotes and backslashes that were typed are not part of the words.
    place=0
    while ((place <= index)); do
        word=${words[place]//\\/}
        word=${word//\"/}
        words[place]=${word//\'/}
        place=$((place + 1))
    done

    if \declare -F agent-workspace >/dev/null; then
        wrapper=(--wrapper)
    fi
    current=${words[index]}
    answer=$(__agent_workspace_completion_ask --index "$index" ${wrapper[@]+"${wrapper[@]}"} -- "${words[@]}") || answer=
    # What readline will replace begins after the last of these.
    [[ $COMP_WORDBREAKS != *=* || $current != *=* ]] || before=${current%"${current##*=}"}
    [[ $COMP_WORDBREAKS != *:* || $current != *:* ]] || before=${current%"${current##*:}"}
    while IFS= \read -r word; do
        case $word in
            '') ;;
            :files) files=yes ;;
            *)
                word=${word%%"$tab"*}
                found+=("${word#"$before"}")
                ;;
        esac
    done <<<"$answer"
    if [[ -n $files ]]; then
        # Bash 3.2 has no compopt, and so neither quotes names nor tells folders apart.
        \compopt -o filenames 2>/dev/null || :
        case $current in
            --*=*) flag=${current%%=*}= current=${current#*=} ;;
        esac
        flag=${flag#"$before"}
        while IFS= \read -r word; do
            [[ -z $word ]] || found+=("$flag$word")
        done <<<"$(\compgen -f -- "$current")"
    fi
    COMPREPLY=(${found[@]+"${found[@]}"})
}

\complete -F __agent_workspace_completion agent-workspace \
    aw awa awac awag awah awc awe awls awm awr awro awrp awrr awrw awsh awt
