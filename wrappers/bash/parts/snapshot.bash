# `snapshot`: copies the host's configuration into a workspace, but for logins and keys.
# What stays here is in share/snapshot-excludes. The functions use variables of their caller: from, with, left_out.
# shellcheck disable=SC2034,SC2154  # variables of other parts, and of callers

__agent_workspace_snapshot() {
    local from dry='' refresh='' launcher document full folder quoting
    local -a names with left_out exec_words tty_words
    names=()
    with=()
    while (( $# > 0 )); do
        case $1 in
            -h|--help) __agent_workspace_help snapshot; return ;;
            --dry-run) dry=1 ;;
            --refresh) refresh=1 ;;
            --with)
                __agent_workspace_needs_value --with $# || return
                with+=("$2")
                shift
                ;;
            --with=*) with+=("${1#*=}") ;;
            --)
                shift
                names+=("$@")
                break
                ;;
            -*) __agent_workspace_unknown snapshot "$1"; return ;;
            *) names+=("$1") ;;
        esac
        shift
    done
    __agent_workspace_one_name snapshot ${names[@]+"${names[@]}"} || return
    __agent_workspace_snapshot_from || return
    [[ -n $from ]] || return 0
    __agent_workspace_snapshot_rules || return
    if [[ -n $dry ]]; then
        __agent_workspace_snapshot_sizes
        return
    fi
    __agent_workspace_launcher || return
    launcher=$REPLY
    __agent_workspace_gate describe-json transport-v1 || return
    __agent_workspace_pick ${names[@]+"${names[@]}"} || return
    __agent_workspace_enter "$REPLY" || return
    if __agent_workspace_field /secrets/dir; then
        __agent_workspace_snapshot_secrets "$REPLY" || return
    fi
    if [[ -z $refresh ]]; then
        __agent_workspace_snapshot_state || return
        if [[ -n $REPLY ]]; then
            __agent_workspace_say "the snapshot is there already ($REPLY); again with --refresh"
            return 0
        fi
    fi
    __agent_workspace_snapshot_send
}

# snapshot_from: sets from to the real path of the configuration; empty, with a note, when there is nothing.
__agent_workspace_snapshot_from() {
    local named=${XDG_CONFIG_HOME:-${HOME-}/.config}
    from=
    if [[ ! -d $named ]]; then
        __agent_workspace_say "there is no $named to copy"
        return 0
    fi
    from=$(CDPATH='' builtin cd -P -- "$named" && builtin pwd -P)
}

# pattern PATH: sets REPLY to a pattern of find that means this path and no other.
__agent_workspace_pattern() {
    local rest=$1 first
    REPLY=
    while [[ -n $rest ]]; do
        first=${rest%"${rest#?}"}
        rest=${rest#?}
        case $first in
            '*'|'?'|'['|\\) REPLY+=\\ ;;
        esac
        REPLY+=$first
    done
}

# snapshot_rules: sets left_out to what find is not to go into: the list, the secrets, and the paths of `with`, which
# are taken by themselves.
__agent_workspace_snapshot_rules() {
    local line item
    local -a taken
    taken=()
    left_out=( '(' -name '' )
    __agent_workspace_shared share/snapshot-excludes || return
    while IFS= builtin read -r line; do
        case $line in
            ''|'#'*) ;;
            # macOS tells capital from small letters as little as this does.
            '**/'*) left_out+=(-o -iname "${line#???}") ;;
            *) left_out+=(-o -ipath "./$line") ;;
        esac
    done <<<"$REPLY"

    __agent_workspace_setting SECRETS_DIR
    __agent_workspace_snapshot_secrets "${REPLY:-$from/codex_secrets}" || return

    for item in ${with[@]+"${with[@]}"}; do
        item=${item#"$from"/}
        while [[ $item == ./* ]]; do item=${item#./}; done
        while [[ $item == */ ]]; do item=${item%/}; done
        case /$item/ in
            //*|*/../*|*/./*)
                __agent_workspace_usage snapshot "--with takes a path below $from"
                return
                ;;
        esac
        if [[ ! -e $from/$item && ! -L $from/$item ]]; then
            __agent_workspace_say "there is no $item in $from"
            return 1
        fi
        __agent_workspace_pattern "$item"
        left_out+=(-o -path "./$REPLY")
        taken+=("$item")
    done
    with=(${taken[@]+"${taken[@]}"})
}

# snapshot_secrets FOLDER: a folder of secrets is left out too, when there is one.
__agent_workspace_snapshot_secrets() {
    local secrets
    secrets=$(CDPATH='' builtin cd -P -- "$1" 2>/dev/null && builtin pwd -P)
    if [[ -n $secrets && $from/ == "$secrets"/* ]]; then
        __agent_workspace_say "$from is in the folder of secrets, and those are not copied"
        return 1
    elif [[ -n $secrets && $secrets == "$from"/* ]]; then
        __agent_workspace_pattern "${secrets#"$from"/}"
        left_out+=(-o -path "./$REPLY")
    fi
}

# snapshot_find ACTION...: runs find, with this action for every file and link that is to be copied.
__agent_workspace_snapshot_find() (
    builtin set -o pipefail
    local item failed=0
    local -a before
    before=('(' -name '')
    CDPATH='' builtin cd -- "$from" || return
    command find . ${left_out[@]+"${left_out[@]}"} ')' -prune -o "$@" || failed=1
    for item in ${with[@]+"${with[@]}"}; do
        command find "./$item" ${before[@]+"${before[@]}"} ')' -prune -o "$@" || failed=1
        # What was taken once is not taken again with a folder around it or in it.
        __agent_workspace_pattern "$item"
        before+=(-o -path "./$REPLY" -o -path "./$REPLY/*")
    done
    return "$failed"
)

# snapshot_sizes: what would be copied, a line each of name, files and bytes, then the total.
__agent_workspace_snapshot_sizes() {
    local name files bytes
    local all_files=0 all_bytes=0
    while IFS=$'\t' builtin read -r name files bytes; do
        builtin printf '%s\t%s\t%s\n' "$name" "$files" "$bytes"
        all_files=$(( all_files + files ))
        all_bytes=$(( all_bytes + bytes ))
    done < <(__agent_workspace_snapshot_measure)
    builtin printf 'total\t%s\t%s\n' "$all_files" "$all_bytes"
}

# snapshot_measure: the same lines without the total.
__agent_workspace_snapshot_measure() {
    __agent_workspace_snapshot_find -type l -exec printf '0 %s\n' '{}' + -o -type f -exec wc -c '{}' + |
        LC_ALL=C command awk '
            # wc prints totals too, and those are not below the folder.
            match($0, /^ *[0-9]+ \.\//) {
                bytes = $1
                name = substr($0, RLENGTH + 1)
                sub(/\/.*/, "", name)
                gsub(/[\001-\037\177]/, "?", name)
                files[name] += 1
                size[name] += bytes
            }
            END {
                for (name in files) printf "%s\t%d\t%.0f\n", name, files[name], size[name]
            }' | LC_ALL=C command sort
}

# snapshot_state: sets REPLY to when the workspace got its snapshot; empty when it has none.
__agent_workspace_snapshot_state() {
    local state
    state=$(__agent_workspace_guest config_snapshot state </dev/null) || return
    REPLY=
    case $state in
        'done '*) __agent_workspace_plain "${state#done }" ;;
    esac
}

# snapshot_tar: packs the paths on stdin, each ended by a NUL.
__agent_workspace_snapshot_tar() (
    builtin set -o pipefail
    local version code=0
    local -a flags
    version=$(command tar --version 2>/dev/null)
    flags=(--no-recursion)
    # That of macOS and the BSDs would add what other systems only complain about.
    [[ $version != bsdtar* ]] || flags+=(--no-xattrs --no-acls --no-fflags)
    CDPATH='' builtin cd -- "$from" || return
    COPYFILE_DISABLE=1 command tar ${flags[@]+"${flags[@]}"} --null -T - -cf - || code=$?
    # That of GNU says with 1 that a file has changed meanwhile: programs that run do that to their settings.
    [[ $code != 1 || $version != *'GNU tar'* ]] || code=0
    return "$code"
)

# snapshot_pack: the tar of what is to be copied, on stdout. Code 8 when some of it could not be read.
__agent_workspace_snapshot_pack() (
    builtin set -o pipefail
    local code=0
    __agent_workspace_snapshot_find '(' -type f -o -type l ')' -print0 | __agent_workspace_snapshot_tar || code=$?
    case $code in
        # 141: gone is who should have read it, and that side says why.
        0|141) return "$code" ;;
        1|2)
            __agent_workspace_warn "some of $from could not be read, and is not in the snapshot"
            return 8
            ;;
    esac
    __agent_workspace_say "$from could not be packed"
    return "$code"
)

# snapshot_send: copies, and marks that it is done when both sides came to their end. What one side could not read does
# not undo the rest.
__agent_workspace_snapshot_send() (
    builtin set -o pipefail
    local -a codes
    local packed unpacked
    __agent_workspace_snapshot_pack | __agent_workspace_guest config_snapshot unpack
    codes=("${PIPESTATUS[@]}")
    packed=${codes[*]:0:1}
    unpacked=${codes[*]:1:1}
    (( unpacked == 0 )) || return "$unpacked"
    (( packed == 0 || packed == 8 )) || return "$packed"
    __agent_workspace_guest config_snapshot mark </dev/null || return
    return "$packed"
)
