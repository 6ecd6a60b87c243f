# `reset`: makes clones in a workspace what their remotes have, after showing what that loses.
# Every clone is looked at first, and nothing is touched when a remote cannot be asked. guest/reset_repo.sh does both.

__agent_workspace_reset() {
    emulate -L zsh -o no_aliases -o warn_create_global -o pipe_fail
    local kind=${1-} flag value inline ref= yes= root=/work depth=3 launcher document full folder quoting
    local -a names exec_words tty_words clones
    names=()
    clones=()
    case $kind in
        ''|-h|--help) __agent_workspace_help reset; return ;;
        repo|work-repos|opt-repos|private-repo) shift ;;
        *) __agent_workspace_usage reset "reset is repo, work-repos, opt-repos or private-repo, not: $kind"; return ;;
    esac
    while (( $# > 0 )); do
        flag=$1 value='' inline=''
        case $1 in
            --?*=*) flag=${1%%=*} value=${1#*=} inline=1 ;;
        esac
        case $kind:$flag in
            *:-h|*:--help) __agent_workspace_help reset; return ;;
            *:--ref|work-repos:--root|work-repos:--depth)
                if [[ -z $inline ]]; then
                    __agent_workspace_needs_value "$flag" $# || return
                    value=$2
                    shift
                fi
                ;;
            *:-y|*:--) ;;
            *:--yes) [[ -z $inline ]] || { __agent_workspace_unknown reset "$1" "$kind"; return; } ;;
            *:-*) __agent_workspace_unknown reset "$flag" "$kind"; return ;;
        esac
        case $flag in
            --ref) ref=$value ;;
            --root) root=$value ;;
            --depth) depth=$value ;;
            -y|--yes) yes=1 ;;
            --)
                shift
                names+=("$@")
                break
                ;;
            *) names+=("$1") ;;
        esac
        shift
    done
    case $depth in
        ''|*[!0-9]*|0*|????*)
            __agent_workspace_say "--depth is a number from 1, not: $depth"
            return 2
            ;;
    esac
    if [[ $root != /* ]]; then
        __agent_workspace_say "--root is a path from /, not: $root"
        return 2
    fi
    # The last word of `repo` is the clone.
    if [[ $kind == repo ]]; then
        set -- "${names[@]}"
        case $# in
            1) clones=("$1"); names=() ;;
            2) clones=("$2"); names=("$1") ;;
            0) __agent_workspace_usage reset 'reset repo needs DIR'; return ;;
            *) __agent_workspace_usage reset 'reset repo takes NAME and DIR'; return ;;
        esac
    else
        __agent_workspace_one_name reset "${names[@]}" || return
    fi
    __agent_workspace_launcher || return
    launcher=$REPLY
    __agent_workspace_gate describe-json transport-v1 || return
    __agent_workspace_pick "${names[@]}" || return
    __agent_workspace_enter "$REPLY" || return
    __agent_workspace_reset_targets || return
    if (( ${#clones[@]} == 0 )); then
        [[ $kind != opt-repos ]] || root=/opt
        __agent_workspace_say "there is no clone below $root"
        return 0
    fi
    __agent_workspace_reset_all || return
    [[ $kind != opt-repos ]] || __agent_workspace_opt_refresh mirror
}

# reset_targets: sets clones to the folders that are meant.
__agent_workspace_reset_targets() {
    emulate -L zsh -o no_aliases -o warn_create_global -o pipe_fail
    local found line
    case $kind in
        repo)
            set -- "${clones[@]}"
            [[ $1 == /* ]] || clones=("/work/$1")
            return 0
            ;;
        work-repos) found=$(__agent_workspace_guest find_repos "$root" "$depth" </dev/null) || return ;;
        opt-repos) found=$(__agent_workspace_guest find_repos /opt 1 </dev/null) || return ;;
        private-repo)
            # The workspace knows where its home is.
            clones=(\~/.private)
            return 0
            ;;
    esac
    while IFS= builtin read -r line; do
        case $kind:$line in
            *:) ;;
            work-repos:*|opt-repos:/opt/agent-kit|opt-repos:/opt/codex-kit|opt-repos:/opt/zsh-kit) clones+=("$line") ;;
        esac
    done <<<"$found"
}

# reset_all: looks at all clones, asks once, and resets them.
__agent_workspace_reset_all() {
    emulate -L zsh -o no_aliases -o warn_create_global -o pipe_fail
    local clone looked code question
    local -a ready
    integer failures=0
    ready=()
    for clone in "${clones[@]}"; do
        looked=$(__agent_workspace_guest reset_repo look "$clone" "$ref" </dev/null)
        code=$?
        if (( code != 0 )); then
            ! __agent_workspace_stopped "$code" || return "$code"
            if [[ $kind == private-repo && $code == 3 && -z $ref ]]; then
                __agent_workspace_hint 'create brings it in: --private-repo REPO, or AGENT_WORKSPACE_PRIVATE_REPO'
            fi
            # What cannot be fetched says that nothing may be touched; and of one clone nothing is left to do.
            if (( code == 7 )); then
                __agent_workspace_say 'nothing was done'
                return 7
            fi
            (( ${#clones[@]} > 1 )) || return "$code"
            failures=$(( failures + 1 ))
            continue
        fi
        __agent_workspace_reset_told "$clone" "$looked"
        __agent_workspace_print '%s\n' "$REPLY" >&2
        __agent_workspace_reset_lost "$looked"
        ready+=("$clone")
    done
    if (( ${#ready[@]} == 0 )); then
        return 8
    fi
    if [[ $kind == opt-repos ]]; then
        # What agents read is made from the kits, and loses what they do not have.
        looked=$(__agent_workspace_guest opt_refresh count </dev/null) || return
        __agent_workspace_reset_lost "$looked"
    fi
    if [[ -z $yes ]]; then
        question="reset ${#ready[@]} repositories of $full?"
        (( ${#ready[@]} > 1 )) || question="reset 1 repository of $full?"
        __agent_workspace_ask "$question" || return
    fi
    for clone in "${ready[@]}"; do
        __agent_workspace_guest reset_repo reset "$clone" "$ref" </dev/null >/dev/null
        code=$?
        ! __agent_workspace_stopped "$code" || return "$code"
        (( code == 0 || ${#clones[@]} > 1 )) || return "$code"
        (( code == 0 )) || failures=$(( failures + 1 ))
    done
    (( failures == 0 )) || return 8
}

# reset_told CLONE LOOKED: sets REPLY to where a clone goes.
__agent_workspace_reset_told() {
    emulate -L zsh -o no_aliases -o warn_create_global -o pipe_fail
    local word rest where=${ref:-origin/HEAD} target=
    while IFS=' ' builtin read -r word rest; do
        case $word in
            ref) where=$rest ;;
            target) target=${rest%"${rest#???????}"} ;;
        esac
    done <<<"$2"
    REPLY="$1 -> $where ($target)"
}

# reset_lost LOOKED: says what would be lost.
__agent_workspace_reset_lost() {
    emulate -L zsh -o no_aliases -o warn_create_global -o pipe_fail
    local word rest
    while IFS=' ' builtin read -r word rest; do
        case $word in
            changes|untracked|commits|deletions) __agent_workspace_print '  %s %s\n' "$word" "$rest" >&2 ;;
            kit) __agent_workspace_print '%s\n' "$rest" >&2 ;;
        esac
    done <<<"$1"
}
