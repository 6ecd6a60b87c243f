# Short names. They are functions, so that scripts and completion can use them; an alias of the same name is taken away,
# as it would win.

'builtin' 'unalias' aw awa awac awag awah awc awe awls awm awr awro awrp awrr awrw awsh awt 2>/dev/null || :

aw() { agent-workspace "$@"; }
awa() { agent-workspace auth "$@"; }
awac() { agent-workspace auth codex "$@"; }
awag() { agent-workspace auth gpg "$@"; }
awah() { agent-workspace auth github "$@"; }
awc() { agent-workspace create "$@"; }
awe() { agent-workspace exec "$@"; }
awls() { agent-workspace ls "$@"; }
awm() { agent-workspace rm "$@"; }
awr() { agent-workspace reset "$@"; }
awro() { agent-workspace reset opt-repos "$@"; }
awrp() { agent-workspace reset private-repo "$@"; }
awrr() { agent-workspace reset repo "$@"; }
awrw() { agent-workspace reset work-repos "$@"; }
awsh() { agent-workspace shell "$@"; }
awt() { agent-workspace tunnel "$@"; }
