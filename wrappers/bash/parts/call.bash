# What is the launcher's goes to the launcher: the same words, streams and exit code.
# Only the help says more than the launcher's own, and a tunnel takes its name from the environment.

__agent_workspace_call() {
    local launcher REPLY
    __agent_workspace_launcher || return
    launcher=$REPLY
    "$launcher" "$@"
}

# call_help: the launcher's help, then that of the wrapper's own commands.
__agent_workspace_call_help() {
    __agent_workspace_call --help || return
    __agent_workspace_help commands
}

# call_tunnel WORD...: adds the tunnel's name where a workspace is named and a tunnel is not.
__agent_workspace_call_tunnel() {
    local name named='' REPLY
    local -a words
    words=()
    __agent_workspace_setting TUNNEL_NAME
    name=$REPLY
    while (( $# > 0 )) && [[ $1 != -- ]]; do
        case $1 in
            -h|--help|--name|--name=*) name= ;;
            -*) ;;
            *) named=1 ;;
        esac
        words+=("$1")
        shift
    done
    if [[ -n $name ]] && [[ -n $named || $# -gt 1 ]]; then
        words+=(--name "$name")
    fi
    __agent_workspace_call tunnel ${words[@]+"${words[@]}"} "$@"
}

# takes_value COMMAND FLAG: whether the launcher's flag takes the next word.
__agent_workspace_takes_value() {
    local REPLY newline=$'\n'
    __agent_workspace_shared share/value-flags || return
    [[ $newline$REPLY$newline == *"$newline$1 $2$newline"* ]]
}
