# Which token a workspace gets: decided once, used for the clone and kept in the workspace alike.
# A token is held only in subshells that trace and export nothing, and goes over stdin to the one program that is to have it.
# shellcheck disable=SC2030,SC2031,SC2034,SC2154  # variables of other parts, of callers, and of subshells

# no_tokens: takes the environment's tokens away, for subshells. gh prefers them to its own, each kind for some hosts.
__agent_workspace_no_tokens() {
    builtin unset GH_TOKEN GITHUB_TOKEN GH_ENTERPRISE_TOKEN GITHUB_ENTERPRISE_TOKEN
}

# keyring HOST: the token that gh keeps for a host.
__agent_workspace_keyring() {
    [[ -n $1 ]] && __agent_workspace_program gh || return
    REPLY=$(__agent_workspace_no_tokens && command gh auth token --hostname "$1" </dev/null 2>/dev/null)
    [[ -n $REPLY ]]
}

# probe HOST OWNER/REPO: whether gh can see the repository with the token that it keeps.
__agent_workspace_probe() {
    (
        __agent_workspace_no_tokens || builtin return
        command gh api --hostname "$1" "repos/$2" --silent
    ) </dev/null >/dev/null 2>&1
}

# choose MODE HOST [OWNER/REPO]: sets token and token_source (gh, env or none) of the caller. With a repository, auto
# takes gh's token only when it can see that. The mode only-keyring is for hosts that the environment's token is not
# meant for.
__agent_workspace_choose() {
    local mode=$1 host=$2 repo=${3-}
    local +x environment=${GH_TOKEN:-${GITHUB_TOKEN-}}
    token=
    token_source=none
    case $mode in
        none) return 0 ;;
        env) ;;
        *)
            if __agent_workspace_keyring "$host"; then
                token=$REPLY
                token_source=gh
                REPLY=
            fi
            ;;
    esac
    if [[ $mode == auto && -n $token && -n $repo ]] && ! __agent_workspace_probe "$host" "$repo"; then
        token=
        token_source=none
    fi
    if [[ -z $token && -n $environment && $mode != only-keyring ]]; then
        token=$environment
        token_source='env'
        case $mode in
            gh|keyring) __agent_workspace_warn "gh has no token for $host, so that of the environment is used" ;;
        esac
    fi
}

# line TOKEN: prints it for a pipe, by what is no program, so that it is in no argument. Who reads it may have ended.
__agent_workspace_line() {
    builtin printf '%s\n' "$1" 2>/dev/null
}

# create_with_token MODE HOST OWNER/REPO WORD...: the launcher's create, with the token on its stdin and no
# token in its environment. Prints its document. setup is of create.
__agent_workspace_create_with_token() (
    { builtin set +xa; } 2>/dev/null
    builtin set -o pipefail
    # Not exported, although a variable of that name may be.
    local +x token='' token_source='' REPLY=''
    __agent_workspace_choose "$1" "$2" "$3"
    shift 3
    if [[ -z $token ]]; then
        # None may be had from the surroundings either.
        __agent_workspace_no_tokens || return
        "$launcher" "$@" --output json
        return
    fi
    __agent_workspace_gate setup-git-v1 token-stdin-flag || return
    # Who asked for it has it among the words already.
    [[ -n $setup ]] || set -- "$@" --setup-git
    __agent_workspace_no_tokens || return
    __agent_workspace_line "$token" | "$launcher" "$@" --token-stdin --output json
)

# same FULL: whether the launcher's create means this workspace by its name. It puts a prefix before a name that has
# another one, and would make a new workspace.
__agent_workspace_same() {
    local document
    document=$(__agent_workspace_no_tokens && "$launcher" create --plan --no-clone --name "$1" --output json </dev/null) ||
        return
    __agent_workspace_field /workspace || return
    [[ $REPLY != "$1" ]] || return 0
    __agent_workspace_say "the launcher does not take $1 as it is, but as $REPLY"
    __agent_workspace_hint 'set AGENT_WORKSPACE_PREFIX to the prefix that its name has'
    return 4
}

# not_made FULL: whether the create that $document is of has come back to the workspace that was there.
__agent_workspace_not_made() {
    __agent_workspace_field /created || return
    [[ $REPLY == true ]] || return 0
    __agent_workspace_say "$1 was gone meanwhile, and has been made anew without its clone"
    __agent_workspace_hint "agent-workspace rm $1"
    return 4
}

# store FULL HOST MODE: keeps a token for a host in a workspace, and prints where the token is from.
__agent_workspace_store() (
    { builtin set +xa; } 2>/dev/null
    builtin set -o pipefail
    # Not exported, although a variable of that name may be.
    local +x token='' token_source='' REPLY=''
    local document
    __agent_workspace_choose "$3" "$2"
    if [[ -z $token ]]; then
        # Of a further host nobody has said that it needs one.
        [[ $3 != only-keyring ]] || return 0
        __agent_workspace_say "there is no token for $2"
        __agent_workspace_hint "gh auth login --hostname $2, or set GH_TOKEN"
        return 6
    fi
    __agent_workspace_same "$1" || return
    document=$(
        __agent_workspace_no_tokens || builtin return
        __agent_workspace_line "$token" |
            "$launcher" create --no-clone --name "$1" --setup-git --host "$2" --token-stdin --output json
    ) || return
    __agent_workspace_not_made "$1" || return
    builtin printf '%s\n' "$token_source"
)
