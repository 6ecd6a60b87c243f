# Imports the secret key on stdin, trusts it, and lets gpg ask for its passphrase on the terminal it runs in.
# Argument: the key as gpg names it.

key=$1
if ! command -v gpg >/dev/null 2>&1; then
    echo 'agent-workspace: there is no gpg in the workspace' >&2
    exit 9
fi

umask 077
home=${GNUPGHOME:-$HOME/.gnupg}
mkdir -p -- "$home" && chmod 700 -- "$home" || exit 1
gpg --batch --quiet --import || exit 1

fingerprint=$(
    gpg --batch --with-colons --list-secret-keys -- "$key" 2>/dev/null | awk -F: '$1 == "fpr" { print $10; exit }'
)
if [ -z "$fingerprint" ]; then
    echo "agent-workspace: the key $key is not in what was imported" >&2
    exit 1
fi
printf '%s:6:\n' "$fingerprint" | gpg --batch --quiet --import-ownertrust || exit 1

# append FILE LINE: a line of its own, although the last one may not have ended.
append() {
    if [ -s "$1" ] && [ -n "$(tail -c 1 "$1")" ]; then
        printf '\n' >>"$1" || return
    fi
    printf '%s\n' "$2" >>"$1"
}

# No pinentry can be counted on inside, so gpg itself asks; who has said otherwise is left alone.
if ! grep -qs '^[[:space:]]*pinentry-mode' "$home/gpg.conf"; then
    append "$home/gpg.conf" 'pinentry-mode loopback' || exit 1
fi
if ! grep -qs '^[[:space:]]*\(no-\)\{0,1\}allow-loopback-pinentry' "$home/gpg-agent.conf"; then
    append "$home/gpg-agent.conf" allow-loopback-pinentry || exit 1
fi
# An agent that runs already has read the old settings; none may run.
gpgconf --kill gpg-agent >/dev/null 2>&1 || :
