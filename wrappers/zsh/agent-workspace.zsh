# agent-workspace for zsh 5.8 and later: source this file in ~/.zshrc. It defines functions and runs no program.
# Everything is in parts/, in the order below; the words are quoted because an alias could stand for any of them.

'builtin' 'typeset' '-g' '__agent_workspace_zsh'="${${funcstack[@]:0:1}:A:h}"

# Under its own settings, so that neither the aliases nor the options of who sources it change what is read.
'builtin' 'emulate' 'zsh' '-o' 'no_aliases' '-o' 'no_xtrace' '-o' 'no_err_exit' '-c' '
    builtin typeset -g __agent_workspace_wrappers=${__agent_workspace_zsh%/*}
    builtin typeset -g __agent_workspace_known=
    () {
        local part
        for part in messages launcher gate pick call create credentials auth snapshot repos attach sync reset remove \
            open aliases completion dispatch; do
            builtin source "$__agent_workspace_zsh/parts/$part.zsh" || return
        done
    }
'

# Not under them: functions of the completion system count on the options that it has set.
'builtin' 'autoload' '-Uz' "$__agent_workspace_zsh/functions/_agent-workspace"
