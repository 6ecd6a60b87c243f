# Asks the launcher whether it can do what a command needs, before the command does anything.
# An answer is remembered for the session, with the launcher that gave it, in __agent_workspace_known.

# has CAPABILITY: whether $launcher has it; the word `requires` stands for a version this wrapper is made for.
__agent_workspace_has() {
    emulate -L zsh -o no_aliases -o warn_create_global -o pipe_fail
    local known="<$launcher $1>"
    [[ $__agent_workspace_known != *"$known"* ]] || return 0
    if [[ $1 == requires ]]; then
        "$launcher" --requires '>=0.2, <1' </dev/null >/dev/null 2>&1 || return 1
    else
        "$launcher" --supports "$1" </dev/null >/dev/null 2>&1 || return 1
    fi
    __agent_workspace_known+=$known
}

# gate CAPABILITY...: $launcher must have all of them.
__agent_workspace_gate() {
    emulate -L zsh -o no_aliases -o warn_create_global -o pipe_fail
    local capability version sentence=
    if ! __agent_workspace_has requires; then
        version=$("$launcher" --version </dev/null 2>/dev/null)
        sentence="this command needs a launcher '>=0.2, <1', and $launcher is $version"
    else
        for capability in "$@"; do
            if ! __agent_workspace_has "$capability"; then
                version=$("$launcher" --version </dev/null 2>/dev/null)
                sentence="this command needs $capability, and the launcher $launcher (version $version) does not have it"
                break
            fi
        done
    fi
    [[ -n $sentence ]] || return 0
    __agent_workspace_say "$sentence"
    __agent_workspace_hint 'update the launcher: ./dev quickstart in its checkout, or take the newest release'
    return 9
}
