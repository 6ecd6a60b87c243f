# The command itself: its first word says which part it is for.
# The words that are not named here are the launcher's.

agent-workspace() {
    emulate -L zsh -o no_aliases -o warn_create_global -o pipe_fail -o no_err_exit -o no_err_return
    # Who calls may have any IFS, and a shell that ends at the first command that fails: here, commands may fail.
    local REPLY= IFS=$' \t\n' code=0
    __agent_workspace_main "$@" || code=$?
    return "$code"
}

__agent_workspace_main() {
    case $#:${1-} in
        0:|1:-h|1:--help|1:help)
            __agent_workspace_call_help
            return
            ;;
    esac
    # Flags of every launcher's command may come first. What is the wrapper's is found behind them, so that `--quiet rm`
    # asks like `rm --quiet`.
    local command flag
    local -a before words
    before=()
    words=("$@")
    while (( $# > 0 )); do
        case $1 in
            -q|--quiet|--output=*|--log-format=*|--passphrase-fd=*|--timeout=*) before+=("$1") ;;
            --output|--log-format|--passphrase-fd|--timeout)
                (( $# > 1 )) || break
                before+=("$1=$2")
                shift
                ;;
            *) break ;;
        esac
        shift
    done
    if (( ${#before[@]} > 0 )); then
        command=${1-}
        case $command in
            create|up|rm|tunnel)
                shift
                set -- "$command" "${before[@]}" "$@"
                ;;
            auth|exec|open|reset|rsync|shell|snapshot)
                flag=${before[*]:0:1}
                __agent_workspace_unknown "$command" "${flag%%=*}"
                return
                ;;
            *)
                __agent_workspace_call "${words[@]}"
                return
                ;;
        esac
    fi
    command=$1
    # The help of a command that is the wrapper's, however it is asked for.
    case $#:$command:${2-} in
        2:help:*) command=$2 ;;
        2:*:-h|2:*:--help) ;;
        *) command= ;;
    esac
    case $command in
        auth|create|exec|open|reset|rm|rsync|shell|snapshot)
            __agent_workspace_help "$command"
            return
            ;;
        up)
            __agent_workspace_help create
            return
            ;;
    esac
    command=$1
    case $command in
        create|up) __agent_workspace_create "$@" ;;
        auth) shift; __agent_workspace_auth "$@" ;;
        exec) shift; __agent_workspace_exec "$@" ;;
        open) shift; __agent_workspace_open "$@" ;;
        reset) shift; __agent_workspace_reset "$@" ;;
        rm) shift; __agent_workspace_remove "$@" ;;
        rsync) shift; __agent_workspace_sync "$@" ;;
        shell) shift; __agent_workspace_shell "$@" ;;
        snapshot) shift; __agent_workspace_snapshot "$@" ;;
        tunnel) shift; __agent_workspace_call_tunnel "$@" ;;
        *) __agent_workspace_call "$@" ;;
    esac
}
