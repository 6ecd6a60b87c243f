# Registers the completion, which asks the launcher at the first Tab; what that prints registers itself for later ones.
# Silent, and without completions, where there is no launcher; nothing is ever downloaded for a Tab.

__agent_workspace_complete() {
    local REPLY='' script
    __agent_workspace_find_launcher || return 1
    __agent_workspace_completion_launcher=$REPLY
    script=$("$REPLY" completion bash </dev/null 2>/dev/null) || return 1
    builtin eval "$script"
    __agent_workspace_completion "$@"
}

builtin complete -F __agent_workspace_complete agent-workspace \
    aw awa awac awag awah awc awe awls awm awr awro awrp awrr awrw awsh awt
