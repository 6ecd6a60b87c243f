# What a person is told and asked, what the environment says, and the texts that all shells share.
# The conversation is on stderr, as stdout is the answer. A function that finds something out leaves it in REPLY.
# shellcheck disable=SC2034,SC2154  # variables of other parts, and of callers

# plain TEXT: the text without what a terminal would obey; much of what is said comes from inside a workspace.
__agent_workspace_plain() {
    REPLY=${1//[[:cntrl:]]/?}
}

# print FORMAT TEXT...: printf, with texts that are plain.
__agent_workspace_print() {
    local REPLY format=$1 text
    local -a texts
    texts=()
    shift
    for text in "$@"; do
        __agent_workspace_plain "$text"
        texts+=("$REPLY")
    done
    # shellcheck disable=SC2059  # it is one of this file's callers
    builtin printf "$format" ${texts[@]+"${texts[@]}"}
}

__agent_workspace_say() {
    __agent_workspace_print 'agent-workspace: %s\n' "$1" >&2
}

__agent_workspace_hint() {
    __agent_workspace_print 'hint: %s\n' "$1" >&2
}

__agent_workspace_warn() {
    __agent_workspace_say "warning: $1"
}

# usage COMMAND SENTENCE: the command line is wrong.
__agent_workspace_usage() {
    __agent_workspace_say "$2"
    __agent_workspace_hint "agent-workspace help $1"
    return 2
}

# unknown COMMAND FLAG [PROVIDER OR KIND]
__agent_workspace_unknown() {
    __agent_workspace_usage "$1" "$1${3:+ $3} does not know $2"
}

# needs_value FLAG COUNT: whether a value can follow the flag, with COUNT words left from the flag on.
__agent_workspace_needs_value() {
    (( $2 > 1 )) && return
    __agent_workspace_say "$1 needs a value"
    return 2
}

# one_name COMMAND NAME...: there may be one.
__agent_workspace_one_name() {
    (( $# < 3 )) || __agent_workspace_usage "$1" "$1 takes one NAME, and this is too much: $3"
}

# ask QUESTION: only a clear yes is one, so that an input that has ended is none.
__agent_workspace_ask() {
    local answer=''
    __agent_workspace_print '%s [y/N] ' "$1" >&2
    # At a terminal the end of input leaves the cursor behind the question.
    IFS= builtin read -r answer || [[ ! -t 0 ]] || builtin printf '\n' >&2
    case $answer in
        y|Y|yes) return 0 ;;
    esac
    __agent_workspace_say 'nothing was done'
    return 1
}

# stopped CODE: whether somebody has stopped what ended so. Nothing else is begun then.
__agent_workspace_stopped() {
    (( $1 == 130 || $1 == 143 ))
}

# setting NAME: a setting of the wrappers, by its present or its older name; empty when there is none.
__agent_workspace_setting() {
    local setting_name
    __agent_workspace_named_setting "$1"
}

# named_setting NAME: the same, and the variable it is from in the caller's setting_name.
__agent_workspace_named_setting() {
    setting_name=AGENT_WORKSPACE_$1
    REPLY=${!setting_name-}
    [[ -z $REPLY ]] || return 0
    setting_name=CODEX_WORKSPACE_$1
    REPLY=${!setting_name-}
}

# checked WHAT VALUE WORD...: WHAT may have one of these values.
__agent_workspace_checked() {
    local what=$1 value=$2 word list=''
    shift 2
    for word in "$@"; do
        [[ $value != "$word" ]] || return 0
    done
    while (( $# > 2 )); do
        list+="$1, "
        shift
    done
    __agent_workspace_say "$what is $list$1 or $2, not: $value"
    return 2
}

# checked_setting NAME WORD...: a setting that has one of these values, or none.
__agent_workspace_checked_setting() {
    local setting_name
    __agent_workspace_named_setting "$1"
    shift
    [[ -z $REPLY ]] || __agent_workspace_checked "$setting_name" "$REPLY" "$@"
}

# checked_profile NAME: a profile cannot lead out of the folder of profiles.
__agent_workspace_checked_profile() {
    case $1 in
        ''|*/*|*..*|*[[:space:]]*)
            __agent_workspace_say "a profile is one word without slashes, not: $1"
            return 2
            ;;
    esac
}

# shared share/NAME or guest/NAME: the text of a file that all wrappers share.
__agent_workspace_shared() {
    local file=$__agent_workspace_wrappers/$1
    if [[ ! -r $file ]]; then
        __agent_workspace_say "a file of the wrapper is missing: $file"
        return 1
    fi
    REPLY=$(<"$file")
}

# help COMMAND: prints the help of a command that is the wrapper's.
__agent_workspace_help() {
    local REPLY
    __agent_workspace_shared "share/help/$1.txt" || return
    builtin printf '%s\n' "$REPLY"
}
