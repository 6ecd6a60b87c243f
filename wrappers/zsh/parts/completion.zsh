# Registers the completion, which is in ../functions/_agent-workspace and asks the launcher at the first Tab.
# Where the completion system starts only after this file was read, it finds it in fpath.

if (( ${+functions[compdef]} )); then
    compdef _agent-workspace agent-workspace aw awa awac awag awah awc awe awls awm awr awro awrp awrr awrw awsh awt
elif [[ ${fpath[(Ie)$__agent_workspace_zsh/functions]} == 0 ]]; then
    fpath+=("$__agent_workspace_zsh/functions")
fi
