# agent-workspace for bash 3.2 and later: source this file in ~/.bashrc. It defines functions and runs no program.
# Everything is in parts/, in the order below.
# shellcheck shell=bash

# An alias of who sources this would else be built into the functions.
\builtin shopt -q expand_aliases && __agent_workspace_aliases=-s || __agent_workspace_aliases=-u
\builtin shopt -u expand_aliases
# POSIX has no functions with a hyphen in their names.
[[ -o posix ]] && __agent_workspace_posix=-o || __agent_workspace_posix=+o
\builtin set +o posix

__agent_workspace_bash=${BASH_SOURCE[0]}
[[ $__agent_workspace_bash == */* ]] || __agent_workspace_bash=./$__agent_workspace_bash
# A link to this file is followed, which is the one thing that takes a program.
while [[ -L $__agent_workspace_bash ]]; do
    __agent_workspace_part=$(command readlink "$__agent_workspace_bash") || break
    [[ $__agent_workspace_part == /* ]] || __agent_workspace_part=${__agent_workspace_bash%/*}/$__agent_workspace_part
    __agent_workspace_bash=$__agent_workspace_part
done
__agent_workspace_bash=${__agent_workspace_bash%/*}
__agent_workspace_bash=$(CDPATH='' builtin cd -P -- "$__agent_workspace_bash" && builtin pwd -P)
__agent_workspace_wrappers=${__agent_workspace_bash%/*}
__agent_workspace_known=

for __agent_workspace_part in messages launcher gate pick call create credentials auth snapshot repos attach sync \
    reset remove open aliases completion dispatch; do
    # shellcheck source=/dev/null
    builtin source "$__agent_workspace_bash/parts/$__agent_workspace_part.bash" || break
done
builtin set "$__agent_workspace_posix" posix
builtin shopt "$__agent_workspace_aliases" expand_aliases
unset -v __agent_workspace_aliases __agent_workspace_part __agent_workspace_posix
