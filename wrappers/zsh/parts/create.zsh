# `create`: picks a token and the secrets, has the launcher make the workspace, and then makes it feel like home.
# The variables that its functions share are declared in __agent_workspace_create.

__agent_workspace_create() {
    emulate -L zsh -o no_aliases -o warn_create_global -o pipe_fail
    local verb=$1 launcher document answer full= folder quoting stopped=0
    # What the command line and the environment say.
    local output= help= plan= tunnel= setup= name= host= mode= profile= private= gpg= key= open=
    local snapshot=1 extras=1 no_work= no_clone= secrets= no_secrets= secrets_mount=
    # What parse_repo says, and the hosts whose tokens are in the workspace.
    local repo= repo_host= repo_url= repo_path= stored_hosts=
    local private_host= private_url=
    local -a words repos exec_words tty_words extra_specs extra_hosts extra_urls extra_paths
    local code created backend
    integer failures=0
    words=()
    repos=()
    extra_specs=()
    extra_hosts=()
    extra_urls=()
    extra_paths=()
    shift
    __agent_workspace_create_arguments "$@" || return
    if [[ -n $help ]]; then
        __agent_workspace_help create
        return
    fi
    __agent_workspace_create_settings || return
    __agent_workspace_create_repo || return

    __agent_workspace_launcher || return
    launcher=$REPLY
    if [[ -n $plan ]]; then
        __agent_workspace_create_secrets || return
        [[ -z $output ]] || words+=(--output "$output")
        "$launcher" "$verb" "${words[@]}"
        return
    fi
    __agent_workspace_gate output-json transport-v1 field-command || return
    __agent_workspace_create_secrets || return
    __agent_workspace_create_targets || return

    document=$(__agent_workspace_create_with_token "$mode" "$repo_host" "$repo" "$verb" "${words[@]}")
    code=$?
    answer=$document
    if (( code == 0 )); then
        __agent_workspace_create_made || return
    elif (( code == 8 )) && __agent_workspace_field /error/details/workspace; then
        # It is there, and its tunnel is not, which the launcher has said. What comes after goes on.
        __agent_workspace_create_partial "$REPLY" || full=
    fi
    if [[ -z $full ]]; then
        [[ $output != json || -z $answer ]] || builtin printf '%s\n' "$answer"
        return "$code"
    fi
    __agent_workspace_create_rest || stopped=$?
    if (( failures > 0 )); then
        __agent_workspace_say "the workspace $full is there, but not everything was done"
        code=8
    fi
    (( stopped == 0 )) || return "$stopped"
    if [[ -n $tunnel ]]; then
        __agent_workspace_call_tunnel "$full" || return
    fi
    return "$code"
}

# create_made: what the launcher's document says.
__agent_workspace_create_made() {
    emulate -L zsh -o no_aliases -o warn_create_global -o pipe_fail
    __agent_workspace_field /workspace || return
    full=$REPLY
    __agent_workspace_field /path || return
    folder=$REPLY
    __agent_workspace_field /created || return
    created=$REPLY
    __agent_workspace_field /repo
    repo=$REPLY
    __agent_workspace_field /backend
    backend=$REPLY
}

# create_partial FULL: the same of a workspace that only the launcher's error names.
__agent_workspace_create_partial() {
    emulate -L zsh -o no_aliases -o warn_create_global -o pipe_fail
    __agent_workspace_field /error/details/created
    created=$REPLY
    __agent_workspace_describe "$1" || return
    __agent_workspace_field /workspace/path || return
    folder=$REPLY
    __agent_workspace_field /workspace/repo
    repo=$REPLY
    __agent_workspace_field /workspace/backend
    backend=$REPLY
}

# create_rest: what comes after.
__agent_workspace_create_rest() {
    emulate -L zsh -o no_aliases -o warn_create_global -o pipe_fail
    if [[ -n $extras || -n $gpg ]]; then
        __agent_workspace_way || return
    fi
    [[ -z $extras ]] || __agent_workspace_extras || return
    if [[ -n $gpg ]]; then
        { __agent_workspace_gpg_key && __agent_workspace_gpg_send; } ||
            __agent_workspace_create_failed $? "the key ${key:+$key }was not imported" || return
    fi
    __agent_workspace_create_answer
    [[ -z $open ]] || __agent_workspace_create_open
}

# create_open: a convenience, so that its failure is said and changes nothing.
__agent_workspace_create_open() {
    if [[ $backend != docker ]]; then
        __agent_workspace_warn "VS Code attaches to containers, and $full is not one"
    elif ! __agent_workspace_program code; then
        __agent_workspace_warn 'there is no program code on PATH'
    else
        __agent_workspace_open_run "$full" "$folder" >&2 || __agent_workspace_warn 'it was not opened in VS Code'
    fi
}

# create_failed CODE SENTENCE: something that comes after was not done; the rest goes on, unless somebody has stopped it.
__agent_workspace_create_failed() {
    __agent_workspace_warn "$2"
    failures=$(( failures + 1 ))
    ! __agent_workspace_stopped "$1" || return "$1"
}

# create_arguments WORD...: takes out what is the wrapper's; the rest is left in words, in its order, for the launcher.
__agent_workspace_create_arguments() {
    emulate -L zsh -o no_aliases -o warn_create_global -o pipe_fail
    local flag value inline
    while (( $# > 0 )); do
        flag=$1 value='' inline=''
        case $1 in
            --?*=*) flag=${1%%=*} value=${1#*=} inline=1 ;;
        esac
        case $flag in
            --private-repo|--codex-profile|--gpg-key|--auth|--output)
                if [[ -z $inline ]]; then
                    __agent_workspace_needs_value "$flag" $# || return
                    value=$2
                    shift
                fi
                ;;
            --) ;;
            -*)
                if ! __agent_workspace_takes_value create "$flag"; then
                    # One that takes no value and was given one is left whole, for the launcher to refuse.
                    flag=$1
                elif [[ -z $inline ]]; then
                    __agent_workspace_needs_value "$flag" $# || return
                    value=$2
                    inline=2
                fi
                ;;
        esac
        case $flag in
            --)
                shift
                while (( $# > 0 )); do
                    __agent_workspace_create_add_repo "$1" || return
                    shift
                done
                return 0
                ;;
            -h|--help) help=1; return 0 ;;
            --no-work-repos) no_work=1; words+=(--no-clone) ;;
            --no-extras) extras= ;;
            --no-snapshot) snapshot= ;;
            --private-repo) private=$value ;;
            --codex-profile)
                profile=$value
                __agent_workspace_checked_profile "$profile" || return
                ;;
            --gpg) gpg=yes ;;
            --no-gpg) gpg=no ;;
            --gpg-key) gpg=yes key=$value ;;
            --auth)
                mode=$value
                __agent_workspace_checked --auth "$mode" auto gh keyring env none || return
                ;;
            --open) open=yes ;;
            --no-open) open=no ;;
            --output)
                output=${value:-text}
                __agent_workspace_checked --output "$output" text json || return
                ;;
            --tunnel) tunnel=1 ;;
            --setup-git) setup=1 ;;
            -*)
                case $flag in
                    --plan) plan=1 ;;
                    --no-clone) no_clone=1 ;;
                    --name) name=$value ;;
                    --host) host=$value ;;
                    --secrets-dir) secrets=$value ;;
                    --secrets-mount) secrets_mount=$value ;;
                    --no-secrets) no_secrets=1 ;;
                esac
                words+=("$1")
                if [[ $inline == 2 ]]; then
                    words+=("$2")
                    shift
                fi
                ;;
            *) __agent_workspace_create_add_repo "$1" || return ;;
        esac
        shift
    done
}

# create_add_repo SPEC: the first one is the launcher's, the others are cloned afterwards.
__agent_workspace_create_add_repo() {
    emulate -L zsh -o no_aliases -o warn_create_global -o pipe_fail
    case $1 in
        -*)
            __agent_workspace_usage create "'$1' is not a repository"
            return
            ;;
    esac
    __agent_workspace_checked_address "$1" || return
    (( ${#repos[@]} > 0 )) || words+=("$1")
    repos+=("$1")
}

# checked_address SPEC: a repository's address may hold neither a password nor, over HTTP, a user. The launcher refuses it
# too, but then it was in an argument, which everybody on this machine can read; here it is not even repeated.
__agent_workspace_checked_address() {
    emulate -L zsh -o no_aliases -o warn_create_global -o pipe_fail
    local scheme= authority=$1
    case $1 in
        *://*)
            scheme=${1%%://*}
            authority=${1#*://}
            ;;
    esac
    case $scheme:${authority%%/*} in
        [Hh][Tt][Tt][Pp]:*@*|[Hh][Tt][Tt][Pp][Ss]:*@*|*:*:*@*) ;;
        *) return 0 ;;
    esac
    __agent_workspace_say "a repository's address must not hold a user or a password"
    return 2
}

# create_settings: what the environment says, and whether everything fits together. Nothing is touched before.
__agent_workspace_create_settings() {
    emulate -L zsh -o no_aliases -o warn_create_global -o pipe_fail
    if [[ -z $mode ]]; then
        __agent_workspace_checked_setting AUTH auto gh keyring env none || return
        mode=${REPLY:-auto}
    fi
    if [[ -z $profile ]]; then
        __agent_workspace_setting CODEX_PROFILE
        profile=$REPLY
        [[ -z $profile ]] || __agent_workspace_checked_profile "$profile" || return
    fi
    __agent_workspace_checked_setting GPG import true none false || return
    case ${gpg:-$REPLY} in
        yes|import|true) gpg=1 ;;
        *) gpg= ;;
    esac
    __agent_workspace_checked_setting OPEN_VSCODE true false || return
    [[ -n $REPLY ]] || __agent_workspace_checked_setting OPEN_VSCODE_ENABLED true false || return
    case ${open:-$REPLY} in
        yes|true) open=1 ;;
        *) open= ;;
    esac
    if [[ -z $private ]]; then
        __agent_workspace_setting PRIVATE_REPO
        private=$REPLY
    fi
    __agent_workspace_checked_address "$private" || return
    if [[ -n $no_work ]] && (( ${#repos[@]} > 0 )); then
        __agent_workspace_usage create '--no-work-repos and a REPO cannot go together'
        return
    fi
    if [[ -n $no_work && -z $name ]]; then
        __agent_workspace_usage create '--no-work-repos needs --name'
        return
    fi
    if [[ -n $tunnel && $output == json ]]; then
        __agent_workspace_say '--tunnel and --output json cannot go together'
        __agent_workspace_hint 'agent-workspace create --tunnel-detach'
        return 2
    fi
}

# create_repo: without a repository, the git remote of the current folder is meant.
__agent_workspace_create_repo() {
    emulate -L zsh -o no_aliases -o warn_create_global -o pipe_fail
    local url= remote rest
    [[ -z $no_work && -z $no_clone ]] && (( ${#repos[@]} == 0 )) || return 0
    if __agent_workspace_program git; then
        url=$(command git remote get-url origin 2>/dev/null)
        if [[ -z $url ]]; then
            remote=$(command git remote 2>/dev/null)
            remote=${remote%%$'\n'*}
            [[ -z $remote ]] || url=$(command git remote get-url "$remote" 2>/dev/null)
        fi
    fi
    if [[ -z $url ]]; then
        __agent_workspace_say 'no repository was named, and there is no git remote here'
        __agent_workspace_hint 'agent-workspace create OWNER/REPO'
        return 2
    fi
    # A user or a password that git keeps in the address is nobody else's business. Over ssh a user is part of the way.
    case $url in
        *://*)
            rest=${url#*://}
            remote=${rest%%/*}
            case ${url%%://*}:$remote in
                [Hh][Tt][Tt][Pp]:*@*|[Hh][Tt][Tt][Pp][Ss]:*@*)
                    url=${url%%://*}://${remote##*@}${rest#"$remote"}
                    ;;
                *:*:*@*) url=${url%%://*}://${remote%%:*}@${remote##*@}${rest#"$remote"} ;;
            esac
            ;;
    esac
    __agent_workspace_create_add_repo "$url"
}

# create_secrets: which folder of secrets is mounted, and the profile out of it.
__agent_workspace_create_secrets() {
    emulate -L zsh -o no_aliases -o warn_create_global -o pipe_fail
    local default
    __agent_workspace_setting SECRETS_DIR
    default=${REPLY:-${XDG_CONFIG_HOME:-${HOME-}/.config}/codex_secrets}
    if [[ -z $secrets && -z $no_secrets ]]; then
        if [[ -d $default ]]; then
            words+=(--secrets-dir "$default")
            if [[ -z $secrets_mount && -z ${DEFAULT_SECRETS_MOUNT-} ]]; then
                words+=(--secrets-mount /home/agent/codex_secrets)
            fi
        elif [[ -n $profile ]]; then
            __agent_workspace_say "a profile needs the folder of secrets, and there is none at $default"
            __agent_workspace_hint 'make it, or name another with AGENT_WORKSPACE_SECRETS_DIR'
            return 1
        fi
    fi
    if [[ -n $profile ]]; then
        __agent_workspace_gate codex-profile-v1 || return
        words+=(--codex-profile "$profile")
    fi
    [[ -z $setup ]] || words+=(--setup-git)
}

# create_answer: what is on stdout.
__agent_workspace_create_answer() {
    emulate -L zsh -o no_aliases -o warn_create_global -o pipe_fail
    if [[ $output == json ]]; then
        builtin printf '%s\n' "$answer"
        return
    fi
    __agent_workspace_print 'workspace: %s\nrepo: %s\npath: %s\n' "$full" "${repo:-(none)}" "$folder"
    __agent_workspace_print 'enter: agent-workspace shell %s\n' "$full"
    [[ $backend != docker ]] || __agent_workspace_open_block "$full" "$folder"
}
