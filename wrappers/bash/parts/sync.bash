# `rsync`: copies files between here and a workspace, with rsync on both sides.
# share/rsh.sh is what rsync takes for its remote shell; it leads over the transport, and no file is written for it.
# shellcheck disable=SC2034,SC2154  # variables of other parts, and of callers

__agent_workspace_sync() {
    local way=${1-} root='' user='' workdir='' launcher document full folder quoting name
    local -a paths flags more names exec_words tty_words
    paths=()
    flags=()
    more=()
    names=()
    case $way in
        push|pull) shift ;;
        ''|-h|--help) __agent_workspace_help rsync; return ;;
        *) __agent_workspace_usage rsync "rsync is push or pull, not: $way"; return ;;
    esac
    while (( $# > 0 )); do
        case $1 in
            -h|--help) __agent_workspace_help rsync; return ;;
            -w|--workdir|--workdir=*) __agent_workspace_unknown rsync "$1"; return ;;
            --)
                shift
                more=("$@")
                break
                ;;
        esac
        __agent_workspace_attach_flag "$@" || return
        if (( REPLY > 0 )); then
            shift "$REPLY"
            continue
        fi
        case $1 in
            --delete) flags+=(--delete) ;;
            -n|--dry-run) flags+=(-n) ;;
            -*) __agent_workspace_unknown rsync "$1"; return ;;
            *) paths+=("$1") ;;
        esac
        shift
    done
    case ${#paths[@]} in
        2) ;;
        3)
            names=("${paths[@]:0:1}")
            paths=("${paths[@]:1}")
            ;;
        0|1) __agent_workspace_usage rsync "rsync $way needs SRC and DEST"; return ;;
        *)
            __agent_workspace_usage rsync "rsync $way takes NAME, SRC and DEST; options of rsync come after --"
            return
            ;;
    esac
    if ! __agent_workspace_program rsync; then
        __agent_workspace_say 'rsync is not installed here'
        return 1
    fi
    __agent_workspace_attach_enter ${names[@]+"${names[@]}"} || return
    name=${names[*]:-$full}
    __agent_workspace_sync_words || return
    set -- ${paths[@]+"${paths[@]}"}
    # Two colons would be a daemon of rsync.
    if [[ $way == push ]]; then
        [[ $2 != :* ]] || set -- "$1" "./$2"
        __agent_workspace_sync_here "$1"
        set -- "$REPLY" "$full:$2"
    else
        [[ $1 != :* ]] || set -- "./$1" "$2"
        __agent_workspace_sync_here "$2"
        set -- "$full:$1" "$REPLY"
    fi
    __agent_workspace_sync_run "$@"
}

# sync_words: what rsh.sh reads has a word on a line.
__agent_workspace_sync_words() {
    local word
    for word in ${exec_words[@]+"${exec_words[@]}"}; do
        case $word in
            ''|*$'\n'*)
                __agent_workspace_say 'the way into this workspace has a word that rsync cannot be given'
                return 1
                ;;
        esac
    done
}

# sync_here PATH: a path of this machine with a colon in it would be taken for a host's.
__agent_workspace_sync_here() {
    REPLY=$1
    case $1 in
        /*) ;;
        *:*) REPLY=./$1 ;;
    esac
}

# sync_run SOURCE TARGET
__agent_workspace_sync_run() (
    builtin set -o pipefail
    local -a progress
    local word code shell=$__agent_workspace_wrappers/share/rsh.sh quoted='' lines=''
    # rsync takes this apart itself, and a quote within quotes is doubled there.
    while [[ $shell == *"'"* ]]; do
        quoted+=${shell%%"'"*}"''"
        shell=${shell#*"'"}
    done
    progress=()
    [[ ! -t 2 ]] || progress=(--progress)
    for word in ${exec_words[@]+"${exec_words[@]}"}; do
        lines+=${lines:+$'\n'}$word
    done
    AGENT_WORKSPACE_RSH=$lines
    AGENT_WORKSPACE_RSH_QUOTING=$quoting
    builtin export AGENT_WORKSPACE_RSH AGENT_WORKSPACE_RSH_QUOTING
    # -s: the workspace's side gets its paths as they are, whatever is in them.
    command rsync -s -rlpt --partial ${progress[@]+"${progress[@]}"} -e "sh '$quoted$shell'" \
        ${flags[@]+"${flags[@]}"} ${more[@]+"${more[@]}"} -- "$@"
    code=$?
    case $code in
        12|126|127)
            __agent_workspace_hint "is rsync in the workspace? agent-workspace exec --root $name -- apt-get install -y rsync"
            ;;
    esac
    return "$code"
)
