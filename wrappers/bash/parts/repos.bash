# What a new workspace gets beside its own clone: the private repository, further clones, the image's kit.
# The functions use variables of their caller: launcher, document, full, the way in, and those of `parse_repo`.
# shellcheck disable=SC2034,SC2154  # variables of other parts, and of callers

# parse_repo SPEC [HOST]: sets repo, repo_host, repo_url and repo_path. HOST is for OWNER/REPO; an address has its own.
__agent_workspace_parse_repo() {
    local document
    if [[ -n ${2-} && $1 != *:* ]]; then
        document=$("$launcher" parse-repo "$1" --host "$2" --output json </dev/null) || return
    else
        document=$("$launcher" parse-repo "$1" --output json </dev/null) || return
    fi
    __agent_workspace_field /repo || return
    repo=$REPLY
    __agent_workspace_field /host || return
    repo_host=$REPLY
    __agent_workspace_field /url || return
    repo_url=$REPLY
    __agent_workspace_field /path || return
    repo_path=$REPLY
}

# further_token HOST: a host that has no token yet gets that of gh, when a token is wanted at all. stored_hosts has the
# hosts that were served.
__agent_workspace_further_token() {
    case " $stored_hosts " in
        *" $1 "*) return 0 ;;
    esac
    stored_hosts+=" $1"
    case $mode in
        env|none) return 0 ;;
    esac
    __agent_workspace_store "$full" "$1" only-keyring >/dev/null
}

# clone_repo HOST URL PATH
__agent_workspace_clone_repo() {
    __agent_workspace_further_token "$1" || ! __agent_workspace_stopped $? || return 130
    __agent_workspace_guest clone_repo "$2" "$3" </dev/null >/dev/null
}

# private_repo HOST URL
__agent_workspace_private_repo() {
    __agent_workspace_further_token "$1" || ! __agent_workspace_stopped $? || return 130
    __agent_workspace_guest private_repo "$2" </dev/null >/dev/null
}

# opt_refresh add|mirror
__agent_workspace_opt_refresh() {
    __agent_workspace_guest opt_refresh "$1" </dev/null >/dev/null
}

# create_targets: reads every repository before anything is made. repo and repo_host are for the token.
__agent_workspace_create_targets() {
    local first='' first_host=${host:-${GITHUB_HOST:-github.com}} spec
    local index=0
    if [[ -n $extras && ( -n $private || ${#repos[@]} -gt 1 ) ]]; then
        __agent_workspace_gate parse-repo-command || return
    fi
    for spec in ${repos[@]+"${repos[@]}"}; do
        index=$(( index + 1 ))
        if (( index > 1 )); then
            [[ -n $extras ]] || break
            __agent_workspace_parse_repo "$spec" "$host" || return
            extra_specs+=("$spec")
            extra_hosts+=("$repo_host")
            extra_urls+=("$repo_url")
            extra_paths+=("$repo_path")
        elif [[ $mode != none || -n $private ]]; then
            if __agent_workspace_has parse-repo-command; then
                __agent_workspace_parse_repo "$spec" "$host" || return
                first=$repo first_host=$repo_host
            elif [[ $spec == *:* ]]; then
                # Whose host it is cannot be said, so no token of gh is for it.
                first_host=
            else
                first=$spec
            fi
        fi
    done
    if [[ -n $extras && -n $private ]]; then
        __agent_workspace_parse_repo "$private" "$first_host" || return
        private_host=$repo_host
        private_url=$repo_url
    fi
    repo=$first
    repo_host=$first_host
    stored_hosts=$first_host
}

# extras: each of them may fail for itself. Who stops one of them has stopped all.
__agent_workspace_extras() {
    local from url dir code=0
    local -a with left_out specs hosts paths
    with=()
    if [[ $created == true ]]; then
        __agent_workspace_opt_refresh add || __agent_workspace_create_failed $? 'the kit was not copied' || return
    fi
    if [[ -n $snapshot ]]; then
        __agent_workspace_extras_snapshot || code=$?
        case $code in
            0) ;;
            8) __agent_workspace_create_failed 8 'not all of the configuration was copied' ;;
            *) __agent_workspace_create_failed "$code" 'the configuration was not copied' || return ;;
        esac
    fi
    if [[ -n $private_url ]]; then
        __agent_workspace_private_repo "$private_host" "$private_url" ||
            __agent_workspace_create_failed $? "the private repository $private was not brought" || return
    fi
    specs=(${extra_specs[@]+"${extra_specs[@]}"})
    hosts=(${extra_hosts[@]+"${extra_hosts[@]}"})
    paths=(${extra_paths[@]+"${extra_paths[@]}"})
    set -- ${extra_urls[@]+"${extra_urls[@]}"}
    for url in "$@"; do
        __agent_workspace_clone_repo "${hosts[@]:0:1}" "$url" "${paths[@]:0:1}" ||
            __agent_workspace_create_failed $? "${specs[*]:0:1} was not cloned" || return
        specs=("${specs[@]:1}")
        hosts=("${hosts[@]:1}")
        paths=("${paths[@]:1}")
    done
}

# extras_snapshot: once for each workspace, which its marker says.
__agent_workspace_extras_snapshot() {
    [[ -d ${XDG_CONFIG_HOME:-${HOME-}/.config} ]] || return 0
    __agent_workspace_snapshot_from && __agent_workspace_snapshot_rules || return
    # What was asked for, and what a workspace that was there has.
    __agent_workspace_field /secrets/dir || REPLY=
    for dir in "$REPLY" "$secrets"; do
        [[ -z $dir ]] || __agent_workspace_snapshot_secrets "$dir" || return
    done
    __agent_workspace_snapshot_state || return
    [[ -n $REPLY ]] || __agent_workspace_snapshot_send
}
