# `rm`: removes workspaces through the launcher, after asking once.
# That work would be lost is the launcher's to find and to refuse; a yes here does not change that.

__agent_workspace_remove() {
    emulate -L zsh -o no_aliases -o warn_create_global -o pipe_fail
    local all= yes= keep= output= launcher document
    local -a names flags
    names=()
    flags=()
    while (( $# > 0 )); do
        case $1 in
            -h|--help) __agent_workspace_help rm; return ;;
            --all) all=1 ;;
            -y|--yes) yes=1 ;;
            --)
                shift
                names+=("$@")
                break
                ;;
            -*)
                flags+=("$1")
                case $1 in
                    --keep-volumes) keep=1 ;;
                    --volumes) keep= ;;
                    --output=*) output=${1#*=} ;;
                esac
                if __agent_workspace_takes_value rm "$1"; then
                    __agent_workspace_needs_value "$1" $# || return
                    [[ $1 != --output ]] || output=$2
                    flags+=("$2")
                    shift
                fi
                ;;
            *) names+=("$1") ;;
        esac
        shift
    done
    if [[ -n $all ]] && (( ${#names[@]} > 0 )); then
        __agent_workspace_usage rm 'rm takes --all or names, not both'
        return
    fi
    if [[ -z $all ]] && (( ${#names[@]} == 0 )); then
        __agent_workspace_say 'rm needs a NAME, or --all'
        __agent_workspace_hint 'agent-workspace ls'
        return 2
    fi
    if [[ $output == json ]] && { [[ -n $all ]] || (( ${#names[@]} > 1 )); }; then
        __agent_workspace_usage rm '--output json is for one NAME'
        return
    fi
    __agent_workspace_launcher || return
    launcher=$REPLY
    __agent_workspace_gate rm-json || return
    if [[ -n $all ]]; then
        __agent_workspace_gate ls-json || return
        __agent_workspace_remove_names || return
        if (( ${#names[@]} == 0 )); then
            __agent_workspace_say 'there is no workspace'
            return 0
        fi
    fi
    [[ -n $yes ]] || __agent_workspace_remove_ask || return
    __agent_workspace_remove_each
}

# remove_names: sets names to those of all workspaces.
__agent_workspace_remove_names() {
    emulate -L zsh -o no_aliases -o warn_create_global -o pipe_fail
    integer index=0
    document=$("$launcher" ls --output json </dev/null) || return
    while __agent_workspace_field "/workspaces/$index/workspace"; do
        names+=("$REPLY")
        index=$(( index + 1 ))
    done
}

__agent_workspace_remove_ask() {
    emulate -L zsh -o no_aliases -o warn_create_global -o pipe_fail
    local name what='a workspace' whose=its and='and'
    set -- "${names[@]}"
    what=$1
    if (( $# > 1 )); then
        for name in "$@"; do
            __agent_workspace_print '  %s\n' "$name" >&2
        done
        what="$# workspaces"
        whose=their
    fi
    [[ -z $keep ]] || and='and keep'
    __agent_workspace_ask "remove $what $and $whose volumes?"
}

# remove_each: one by one, and the rest goes on when one fails.
__agent_workspace_remove_each() {
    emulate -L zsh -o no_aliases -o warn_create_global -o pipe_fail
    local name one code=0
    for name in "${names[@]}"; do
        one=0
        case $name in
            -*) "$launcher" rm "${flags[@]}" -- "$name" || one=$? ;;
            *) "$launcher" rm "$name" "${flags[@]}" || one=$? ;;
        esac
        # Who stops one of them has stopped all.
        ! __agent_workspace_stopped "$one" || return "$one"
        (( one == 0 )) || code=$one
    done
    (( code == 0 || ${#names[@]} == 1 )) || code=8
    return "$code"
}
