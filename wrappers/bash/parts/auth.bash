# `auth`: gives a workspace a login for a git host, for codex, or a key to sign with.
# Nothing here makes a workspace: its full name comes from `describe` before anything is stored under it.
# shellcheck disable=SC2034,SC2154  # variables of other parts, and of callers

__agent_workspace_auth() {
    local provider=${1-} flag value inline host='' mode='' profile='' key='' launcher document full folder quoting
    local -a names exec_words tty_words
    names=()
    case $provider in
        '') __agent_workspace_help auth; return ;;
        github|codex|gpg) shift ;;
        *) __agent_workspace_usage auth "auth is github, codex or gpg, not: $provider"; return ;;
    esac
    while (( $# > 0 )); do
        flag=$1 value='' inline=''
        case $1 in
            --?*=*) flag=${1%%=*} value=${1#*=} inline=1 ;;
        esac
        case $provider:$flag in
            *:-h|*:--help)
                __agent_workspace_help auth
                return
                ;;
            *:--name|github:--host|github:--auth|codex:--profile|gpg:--key)
                if [[ -z $inline ]]; then
                    __agent_workspace_needs_value "$flag" $# || return
                    value=$2
                    shift
                fi
                ;;
            *:--) ;;
            *:-*)
                __agent_workspace_unknown auth "$flag" "$provider"
                return
                ;;
        esac
        case $flag in
            --name) names+=("$value") ;;
            --host) host=$value ;;
            --auth)
                mode=$value
                __agent_workspace_checked --auth "$mode" auto gh keyring env none || return
                ;;
            --profile)
                profile=$value
                __agent_workspace_checked_profile "$profile" || return
                ;;
            --key) key=$value ;;
            --)
                shift
                names+=("$@")
                break
                ;;
            *) names+=("$1") ;;
        esac
        shift
    done
    __agent_workspace_one_name auth ${names[@]+"${names[@]}"} || return
    "__agent_workspace_auth_$provider" ${names[@]+"${names[@]}"}
}

# auth_github [NAME]
__agent_workspace_auth_github() {
    local origin
    if [[ -z $mode ]]; then
        __agent_workspace_checked_setting AUTH auto gh keyring env none || return
        mode=${REPLY:-auto}
    fi
    host=${host:-${GITHUB_HOST:-github.com}}
    __agent_workspace_launcher || return
    launcher=$REPLY
    __agent_workspace_gate output-json describe-json create-plan setup-git-v1 token-stdin-flag || return
    __agent_workspace_pick "$@" || return
    __agent_workspace_describe "$REPLY" || return
    origin=$(__agent_workspace_store "$full" "$host" "$mode") || return
    builtin printf 'auth: github -> %s (%s; source=%s)\n' "$full" "$host" "$origin"
}

# auth_codex [NAME]
__agent_workspace_auth_codex() {
    local file=${CODEX_AUTH_FILE:-${HOME-}/.codex/auth.json} secrets mount bytes
    if [[ -z $profile ]]; then
        __agent_workspace_setting CODEX_PROFILE
        profile=$REPLY
        [[ -z $profile ]] || __agent_workspace_checked_profile "$profile" || return
    fi
    if [[ -z $profile && ! -f $file ]]; then
        __agent_workspace_say "there is no login file $file"
        __agent_workspace_hint \
            'log in with codex here first, or name a profile: agent-workspace auth codex --profile PROFILE'
        return 1
    fi
    __agent_workspace_launcher || return
    launcher=$REPLY
    if [[ -z $profile ]]; then
        __agent_workspace_gate describe-json transport-v1 || return
        __agent_workspace_pick "$@" || return
        __agent_workspace_enter "$REPLY" || return
        bytes=$(command wc -c <"$file") || return
        __agent_workspace_guest codex_auth "$(( bytes ))" <"$file" || return
        builtin printf 'auth: codex -> %s (file)\n' "$full"
        return
    fi
    __agent_workspace_gate output-json describe-json create-plan codex-profile-v1 || return
    __agent_workspace_pick "$@" || return
    __agent_workspace_describe "$REPLY" || return
    if ! __agent_workspace_field /secrets/dir; then
        __agent_workspace_say "$full has no folder of secrets, so there is no profile to apply"
        __agent_workspace_hint 'secrets are mounted when a workspace is made: agent-workspace create --secrets-dir DIR'
        return 1
    fi
    secrets=$REPLY
    __agent_workspace_field /secrets/mount || return
    mount=$REPLY
    __agent_workspace_same "$full" || return
    document=$(
        "$launcher" create --no-clone --name "$full" --secrets-dir "$secrets" --secrets-mount "$mount" \
            --codex-profile "$profile" --output json </dev/null
    ) || return
    __agent_workspace_not_made "$full" || return
    builtin printf 'auth: codex -> %s (profile=%s)\n' "$full" "$profile"
}

# auth_gpg [NAME]
__agent_workspace_auth_gpg() {
    __agent_workspace_gpg_key || return
    __agent_workspace_launcher || return
    launcher=$REPLY
    __agent_workspace_gate describe-json transport-v1 || return
    __agent_workspace_pick "$@" || return
    __agent_workspace_enter "$REPLY" || return
    __agent_workspace_gpg_send || return
    builtin printf 'auth: gpg -> %s (key=%s)\n' "$full" "$key"
}

# gpg_key: sets key to the one that is meant when none was named, and sees that gpg is there.
__agent_workspace_gpg_key() {
    if [[ -z $key ]]; then
        __agent_workspace_setting GPG_KEY
        key=$REPLY
    fi
    if [[ -z $key ]] && __agent_workspace_program git; then
        # With ssh it signs with another kind of key, which lies in a file.
        [[ $(command git config --global gpg.format) == ssh ]] || key=$(command git config --global user.signingkey)
    fi
    if [[ -z $key ]]; then
        __agent_workspace_say 'no key was named, and git has none to sign with'
        __agent_workspace_hint 'agent-workspace auth gpg --key KEY'
        return 2
    fi
    if ! __agent_workspace_program gpg; then
        __agent_workspace_say 'gpg is not installed here'
        return 1
    fi
}

# gpg_send: the key goes through a pipe and is never in a file of this machine. Both sides must succeed.
__agent_workspace_gpg_send() (
    builtin set -o pipefail
    command gpg --batch --armor --export-secret-keys -- "$key" | __agent_workspace_guest gpg_import "$key"
)
