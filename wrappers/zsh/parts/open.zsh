# `open`: says how VS Code on this machine opens a workspace, and does it when asked to.
# The address names the container in hexadecimal JSON, and the folder in percent encoding; both are of UTF-8 bytes.

__agent_workspace_open() {
    emulate -L zsh -o no_aliases -o warn_create_global -o pipe_fail
    local run= folder_flag= launcher document full folder backend
    local -a names
    names=()
    while (( $# > 0 )); do
        case $1 in
            -h|--help) __agent_workspace_help open; return ;;
            --run) run=1 ;;
            --path)
                __agent_workspace_needs_value --path $# || return
                folder_flag=$2
                shift
                ;;
            --path=*) folder_flag=${1#*=} ;;
            --)
                shift
                names+=("$@")
                break
                ;;
            -*) __agent_workspace_unknown open "$1"; return ;;
            *) names+=("$1") ;;
        esac
        shift
    done
    __agent_workspace_one_name open "${names[@]}" || return
    __agent_workspace_launcher || return
    launcher=$REPLY
    __agent_workspace_gate describe-json || return
    __agent_workspace_pick "${names[@]}" || return
    __agent_workspace_describe "$REPLY" || return
    __agent_workspace_field /workspace/backend
    backend=$REPLY
    if [[ $backend != docker ]]; then
        __agent_workspace_say "VS Code attaches to containers, and $full is not one"
        return 9
    fi
    __agent_workspace_field /workspace/path
    folder=${folder_flag:-${REPLY:-/work}}
    __agent_workspace_open_block "$full" "$folder" || return
    [[ -n $run ]] || return 0
    if ! __agent_workspace_program code; then
        __agent_workspace_say 'there is no program code on PATH'
        return 1
    fi
    __agent_workspace_open_run "$full" "$folder"
}

# open_bytes: the bytes of stdin in hexadecimal, one a line.
__agent_workspace_open_bytes() {
    command od -An -v -tx1 | command tr -s ' ' '\n'
}

# open_context: the docker context that VS Code is to look in.
__agent_workspace_open_context() {
    REPLY=${DOCKER_CONTEXT-}
    if [[ -z $REPLY ]] && __agent_workspace_program docker; then
        REPLY=$(command docker context show </dev/null 2>/dev/null)
    fi
    REPLY=${REPLY:-default}
}

# open_address FULL PATH: sets REPLY to the address without its scheme.
__agent_workspace_open_address() {
    emulate -L zsh -o no_aliases -o warn_create_global -o pipe_fail
    local full=$1 folder=$2 byte context json='' address='' character
    __agent_workspace_open_context
    context=$REPLY
    while [[ -n $context ]]; do
        character=${context%"${context#?}"}
        context=${context#?}
        case $character in
            '"'|\\) json+=\\ ;;
        esac
        json+=$character
    done
    json="{\"containerName\":\"/$full\",\"settings\":{\"context\":\"$json\"}}"
    while IFS= builtin read -r byte; do
        address+=$byte
    done < <(builtin printf '%s' "$json" | __agent_workspace_open_bytes)
    while IFS= builtin read -r byte; do
        case $byte in
            '') ;;
            # -, ., / and the digits; the letters, _ and ~.
            2[d-f]|3[0-9]|4[1-9a-f]|5[0-9a]|5f|6[1-9a-f]|7[0-9a]|7e)
                builtin printf -v character '%b' "\\x$byte"
                address+=$character
                ;;
            *)
                # Capital letters are what addresses are compared with.
                builtin printf -v character '%%%02X' "0x$byte"
                address+=$character
                ;;
        esac
    done < <(builtin printf '%s' "$folder" | __agent_workspace_open_bytes)
    REPLY=attached-container+$address
}

# open_block FULL PATH: the command and the link.
__agent_workspace_open_block() {
    local REPLY
    __agent_workspace_open_address "$1" "$2" || return
    builtin printf 'code --new-window --folder-uri vscode-remote://%s\n' "$REPLY"
    builtin printf 'vscode://vscode-remote/%s\n' "$REPLY"
}

# open_run FULL PATH: what the printed command would do.
__agent_workspace_open_run() {
    local REPLY
    __agent_workspace_open_address "$1" "$2" || return
    command code --new-window --folder-uri "vscode-remote://$REPLY" </dev/null
}
