# `shell` and `exec`: a person's or a program's way into a workspace.
# The command gets its words, its stdin and its terminal as they are, and its exit code is the answer.

# attach_flag WORD...: reads one flag into root, user and workdir of the caller. REPLY is how many words it took, 0 when
# it is none.
__agent_workspace_attach_flag() {
    emulate -L zsh -o no_aliases -o warn_create_global -o pipe_fail
    case $1 in
        --root) root=1; REPLY=1 ;;
        -u|--user)
            __agent_workspace_needs_value "$1" $# || return
            user=$2
            REPLY=2
            ;;
        --user=*) user=${1#*=}; REPLY=1 ;;
        -w|--workdir)
            __agent_workspace_needs_value "$1" $# || return
            workdir=$2
            REPLY=2
            ;;
        --workdir=*) workdir=${1#*=}; REPLY=1 ;;
        *) REPLY=0 ;;
    esac
}

# attach_enter [NAME]: the way in for user and workdir.
__agent_workspace_attach_enter() {
    emulate -L zsh -o no_aliases -o warn_create_global -o pipe_fail
    local -a flags
    flags=()
    [[ -z $root ]] || user=root
    [[ -z $user ]] || flags+=(--user "$user")
    [[ -z $workdir ]] || flags+=(--workdir "$workdir")
    __agent_workspace_launcher || return
    launcher=$REPLY
    __agent_workspace_gate describe-json transport-v1 || return
    if (( ${#flags[@]} > 0 )); then
        __agent_workspace_gate transport-options-v1 || return
    fi
    __agent_workspace_pick "$@" || return
    __agent_workspace_enter "$REPLY" "${flags[@]}"
}

# shell [FLAG...] [NAME]
__agent_workspace_shell() {
    emulate -L zsh -o no_aliases -o warn_create_global -o pipe_fail
    local root= user= workdir= launcher document full folder quoting
    local -a names exec_words tty_words
    names=()
    while (( $# > 0 )); do
        case $1 in
            -h|--help) __agent_workspace_help shell; return ;;
            --)
                shift
                names+=("$@")
                break
                ;;
        esac
        __agent_workspace_attach_flag "$@" || return
        if (( REPLY > 0 )); then
            shift "$REPLY"
            continue
        fi
        case $1 in
            -*) __agent_workspace_unknown shell "$1"; return ;;
        esac
        names+=("$1")
        shift
    done
    __agent_workspace_one_name shell "${names[@]}" || return
    if [[ ! -t 0 || ! -t 1 ]]; then
        __agent_workspace_say 'shell needs a terminal'
        __agent_workspace_hint "agent-workspace exec ${names[*]:+${names[*]} }-- COMMAND"
        return 2
    fi
    __agent_workspace_attach_enter "${names[@]}" || return
    __agent_workspace_shared guest/login_shell.sh || return
    __agent_workspace_inside tty sh -c "$REPLY" login_shell
}

# exec [FLAG...] NAME [--] [COMMAND...], or exec [FLAG...] -- [COMMAND...]
__agent_workspace_exec() {
    emulate -L zsh -o no_aliases -o warn_create_global -o pipe_fail
    local root= user= workdir= launcher document full folder quoting how=exec
    local -a names exec_words tty_words
    names=()
    while (( $# > 0 )); do
        __agent_workspace_attach_flag "$@" || return
        if (( REPLY > 0 )); then
            shift "$REPLY"
            continue
        fi
        case $1 in
            -h|--help) __agent_workspace_help exec; return ;;
            --) shift ;;
            -*) __agent_workspace_unknown exec "$1"; return ;;
            *)
                names=("$1")
                shift
                [[ ${1-} != -- ]] || shift
                ;;
        esac
        break
    done
    __agent_workspace_attach_enter "${names[@]}" || return
    [[ ! -t 0 || ! -t 1 ]] || how='tty'
    if (( $# == 0 )); then
        __agent_workspace_shared guest/login_shell.sh || return
        set -- sh -c "$REPLY" login_shell
    fi
    __agent_workspace_inside "$how" "$@"
}
